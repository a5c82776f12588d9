// Two versions side by side, of which the right one can be changed.
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { languageOf } from "../language_names";
import { loadLanguage } from "./languages";
import { basics, habits } from "./setup";

export interface Merging {
  /** The right side as it stands. */
  value(): string;
  destroy(): void;
}

/** Show theirs beside ours; pieces of theirs can be taken over. labels: of the two sides. changed: ours was. */
export async function mergeVersions(
  place: HTMLElement,
  {
    theirs,
    ours,
    path,
    labels,
    changed,
  }: { theirs: string; ours: string; path: string; labels: [string, string]; changed: () => void },
): Promise<Merging> {
  const language = await loadLanguage(languageOf(path));
  const sides = habits().wraps ? [language, EditorView.lineWrapping] : [language];
  const view = new MergeView({
    a: { doc: theirs, extensions: [basics(labels[0]), EditorState.readOnly.of(true), sides] },
    b: {
      doc: ours,
      extensions: [
        basics(labels[1]),
        sides,
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed();
        }),
      ],
    },
    parent: place,
    revertControls: "a-to-b",
    collapseUnchanged: { margin: 3, minSize: 6 },
  });
  return { value: () => view.b.state.doc.toString(), destroy: () => view.destroy() };
}

/** Show what a text has become, changed lines over one another. */
export async function showChanges(
  place: HTMLElement,
  { before, after, path, label }: { before: string; after: string; path: string; label: string },
): Promise<() => void> {
  const view = new EditorView({
    doc: after,
    parent: place,
    extensions: [
      basics(label),
      EditorState.readOnly.of(true),
      EditorView.editable.of(false),
      EditorView.lineWrapping,
      await loadLanguage(languageOf(path)),
      unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged: { margin: 3, minSize: 6 } }),
    ],
  });
  return () => view.destroy();
}
