// The views of a text that is being edited: itself, as Markdown, and what has changed.
import type { Editor } from "./editor";
import { languageOf } from "./language_names";
import { text } from "./texts";
import { tellError } from "./toasts";

interface Subject {
  editor: Editor | undefined;
  before: string;
  text: () => string;
  path: () => string;
  /** The address of the file's page, by which relative links of a preview are known. */
  base: () => string;
}

const csrf = (): string => document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";

/** Set up the tabs and the habits of an editor's form. */
export function setUpViews(form: HTMLFormElement, subject: Subject): void {
  const tabs = [...form.querySelectorAll<HTMLButtonElement>(".edit-tabs [role=tab]")];
  const panelOf = (tab: HTMLElement) => document.getElementById(tab.getAttribute("aria-controls") ?? "");
  let forget: (() => void) | undefined;

  const show = (chosen: HTMLButtonElement) => {
    forget?.();
    forget = undefined;
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      const panel = panelOf(tab);
      if (panel) panel.hidden = tab !== chosen;
    }
    const panel = panelOf(chosen);
    if (panel?.id === "panel-preview") showPreview(panel, subject);
    if (panel?.id === "panel-changes") {
      panel.replaceChildren();
      void import("./codemirror/merge")
        .then(({ showChanges }) =>
          showChanges(panel, {
            before: subject.before,
            after: subject.text(),
            path: subject.path(),
            label: text("Changes"),
          }),
        )
        .then((destroy) => {
          forget = destroy;
        }, tellError);
    }
  };

  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      const seen = tabs.filter((one) => !one.hidden);
      const next = seen[(seen.indexOf(tab) + step + seen.length) % seen.length];
      if (!step || !next || tabs.indexOf(next) === place) return;
      next.focus();
      show(next);
    });
  }

  const markdown = form.querySelector<HTMLElement>("[data-for-markdown]");
  const follow = () => {
    if (markdown) markdown.hidden = languageOf(subject.path()) !== "markdown";
  };
  follow();
  form.querySelector("input[name=path]")?.addEventListener("input", follow);
  setUpHabits(form, subject.editor);
}

function setUpHabits(form: HTMLFormElement, editor: Editor | undefined): void {
  const wrap = form.querySelector<HTMLInputElement>("[data-wrap]");
  const tab = form.querySelector<HTMLSelectElement>("[data-tab-size]");
  if (!wrap || !tab) return;
  if (!editor) {
    wrap.disabled = tab.disabled = true;
    return;
  }
  const kept = editor.habits();
  wrap.checked = kept.wraps;
  tab.value = String(kept.tabSize);
  wrap.addEventListener("change", () => editor.setHabits({ wraps: wrap.checked }));
  tab.addEventListener("change", () => editor.setHabits({ tabSize: Number(tab.value) }));
}

function showPreview(panel: HTMLElement, subject: Subject): void {
  const target = panel.querySelector<HTMLElement>(".markdown");
  if (!target) return;
  window.htmx
    .ajax("post", "/-/preview", {
      target,
      swap: "innerHTML",
      values: { text: subject.text(), base: subject.base() },
      headers: { "X-CSRF-Token": csrf() },
    })
    .catch(tellError);
}
