// An editor over a <textarea>: CodeMirror, which is loaded when the first one is mounted. The textarea keeps the text
// at all times, so forms, drafts and scripts that know only the textarea work on; without the editor it stays usable.
import type { Editor, EditorOptions } from "./codemirror/mount";

export type { Editor, EditorOptions } from "./codemirror/mount";

const mounted = new WeakMap<HTMLTextAreaElement, Promise<Editor | undefined>>();

/** Put an editor in the place of a textarea; undefined where it cannot be loaded, and the textarea stays. */
export function mountEditor(textarea: HTMLTextAreaElement, options: EditorOptions = {}): Promise<Editor | undefined> {
  let found = mounted.get(textarea);
  if (!found) {
    found = import("./codemirror/mount").then(
      ({ mount }) => mount(textarea, options),
      () => undefined,
    );
    mounted.set(textarea, found);
  }
  return found;
}
