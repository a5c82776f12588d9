// What all editors of the hub have in common: keys, colours by the theme's tokens, and what each person prefers.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--code-string)" },
  { tag: [tags.comment, tags.meta], color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--code-number)" },
  { tag: [tags.function(tags.variableName), tags.className, tags.definition(tags.name)], color: "var(--code-name)" },
  { tag: [tags.tagName, tags.typeName], color: "var(--code-tag)" },
  { tag: [tags.standard(tags.name), tags.self], color: "var(--code-builtin)" },
  { tag: [tags.attributeName, tags.propertyName, tags.labelName], color: "var(--code-attribute)" },
  { tag: [tags.link, tags.url], color: "var(--accent)" },
  { tag: tags.heading, fontWeight: "700" },
  { tag: tags.strong, fontWeight: "700" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

const look = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--ground)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { color: "var(--quiet)", backgroundColor: "var(--sunken)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--accent-ground)",
  },
  ".cm-selectionMatch, .cm-searchMatch": { backgroundColor: "var(--wait-ground)" },
  ".cm-panels": { color: "var(--ink)", backgroundColor: "var(--sunken)" },
  ".cm-panels input, .cm-panels button": { width: "auto", color: "var(--ink)", background: "var(--raised)" },
  ".cm-foldPlaceholder": { color: "var(--quiet)", backgroundColor: "var(--hover)", borderColor: "var(--line)" },
  ".cm-changedText, .cm-deletedText": { background: "none" },
  "&.cm-merge-a .cm-changedLine, .cm-deletedChunk": { backgroundColor: "var(--bad-ground)" },
  "&.cm-merge-b .cm-changedLine, .cm-changedLine, .cm-insertedLine": { backgroundColor: "var(--good-ground)" },
  "&.cm-merge-a .cm-changedText": { backgroundColor: "var(--removed-word)" },
  "&.cm-merge-b .cm-changedText": { backgroundColor: "var(--added-word)" },
  ".cm-collapsedLines": { color: "var(--quiet)", background: "var(--sunken)" },
});

/** The parts of every editor. label: what a screen reader calls it. */
export function basics(label: string): Extension[] {
  return [
    lineNumbers(),
    foldGutter(),
    highlightSpecialChars(),
    drawSelection(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    indentOnInput(),
    bracketMatching(),
    history(),
    syntaxHighlighting(colours),
    look,
    EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
    // Tab indents; Escape and then Tab leaves, as CodeMirror's keys have it.
    keymap.of([...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, indentWithTab]),
  ];
}

/** Whether long lines are broken, and how wide a tab is: kept in the browser. */
export interface Habits {
  wraps: boolean;
  tabSize: number;
}

const HABITS = "hub:editor";

export function habits(): Habits {
  const kept = JSON.parse(localStorage.getItem(HABITS) ?? "{}") as Partial<Habits>;
  return { wraps: kept.wraps ?? true, tabSize: [2, 4, 8].includes(kept.tabSize ?? 0) ? (kept.tabSize as number) : 4 };
}

export function keepHabits(changed: Partial<Habits>): Habits {
  const kept = { ...habits(), ...changed };
  localStorage.setItem(HABITS, JSON.stringify(kept));
  return kept;
}

/** The part of an editor that follows the habits: its extension, and the change to others. */
export function habitual(text: string): { extension: Extension; change: (view: EditorView, to: Habits) => void } {
  const place = new Compartment();
  const unit = /^\t/m.test(text) ? "\t" : " ";
  const of = ({ wraps, tabSize }: Habits): Extension => [
    wraps ? EditorView.lineWrapping : [],
    EditorState.tabSize.of(tabSize),
    indentUnit.of(unit === "\t" ? "\t" : " ".repeat(tabSize)),
  ];
  return {
    extension: place.of(of(habits())),
    change: (view, to) => view.dispatch({ effects: place.reconfigure(of(to)) }),
  };
}
