// The editor itself, and what a page does with it.
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { make } from "../dom";
import { languageOf } from "../language_names";
import { loadLanguage } from "./languages";
import { basics, type Habits, habits, habitual, keepHabits } from "./setup";

export interface EditorOptions {
  /** Of the file, by which its language is known. */
  path?: string;
  /** The language by name ("markdown"), where there is no path. */
  language?: string;
  /** What screen readers call it; the textarea's label otherwise. */
  label?: string;
}

export interface Editor {
  readonly view: EditorView;
  value(): string;
  replace(text: string): void;
  focus(): void;
  /** The file is called otherwise now. */
  setPath(path: string): void;
  /** Break long lines or not, a tab's width: remembered in this browser. */
  setHabits(changed: Partial<Habits>): void;
  habits(): Habits;
}

const labelOf = (textarea: HTMLTextAreaElement): string =>
  textarea.getAttribute("aria-label") ?? textarea.labels?.[0]?.textContent?.trim() ?? "";

/** Put an editor in the place of the textarea. */
export async function mount(textarea: HTMLTextAreaElement, options: EditorOptions): Promise<Editor> {
  const language = new Compartment();
  const named = (path?: string) => (path === undefined ? (options.language ?? "") : languageOf(path));
  let current = named(options.path);
  const habit = habitual(textarea.value);
  let isOwn = false;
  const state = EditorState.create({
    doc: textarea.value,
    extensions: [
      keymap.of([
        {
          key: "Mod-s",
          preventDefault: true,
          run: () => {
            textarea.form?.requestSubmit();
            return true;
          },
        },
      ]),
      basics(options.label ?? labelOf(textarea)),
      habit.extension,
      language.of(await loadLanguage(current)),
      EditorState.readOnly.of(textarea.readOnly),
      EditorView.updateListener.of((update) => {
        if (!update.docChanged || isOwn) return;
        isOwn = true;
        textarea.value = update.state.doc.toString();
        textarea.dispatchEvent(new Event("input", { bubbles: true }));
        isOwn = false;
      }),
    ],
  });
  const box = make("div", { class: "editor" });
  if (textarea.dataset["testid"]) box.dataset["testid"] = `${textarea.dataset["testid"]}-box`;
  const view = new EditorView({ state, parent: box });
  textarea.before(box);
  textarea.hidden = true;
  const replace = (text: string) => {
    if (view.state.doc.toString() !== text)
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
  };
  // A draft that was kept, or a tool bar, wrote into the textarea.
  textarea.addEventListener("input", () => {
    if (isOwn) return;
    isOwn = true;
    replace(textarea.value);
    isOwn = false;
  });
  return {
    view,
    value: () => view.state.doc.toString(),
    replace,
    focus: () => view.focus(),
    setPath: (path) => {
      const wanted = named(path);
      if (wanted === current) return;
      current = wanted;
      void loadLanguage(wanted).then((found) => {
        if (current === wanted) view.dispatch({ effects: language.reconfigure(found) });
      });
    },
    setHabits: (changed) => habit.change(view, keepHabits(changed)),
    habits,
  };
}
