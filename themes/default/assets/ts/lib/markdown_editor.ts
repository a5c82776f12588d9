// The field for Markdown (parts/markdown_editor.html): tools and their keys, preview, pictures, completion.
import { ApiError } from "./api";
import { startCompleting } from "./completion";
import { onEach } from "./dom";
import { goOnWithList, KEYS, MARKS, replaceMarked, replaceText } from "./text_edits";
import { text } from "./texts";
import { tellError } from "./toasts";

const csrf = (): string => document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";

function setUpTabs(editor: HTMLElement, field: HTMLTextAreaElement): void {
  const tabs = [...editor.querySelectorAll<HTMLButtonElement>("[role=tab]")];
  const panels = tabs.map((tab) => document.getElementById(tab.getAttribute("aria-controls") ?? ""));
  const preview = panels[1];
  const show = (chosen: number): void => {
    tabs.forEach((tab, place) => {
      tab.setAttribute("aria-selected", String(place === chosen));
      tab.tabIndex = place === chosen ? 0 : -1;
      panels[place]?.toggleAttribute("hidden", place !== chosen);
    });
    for (const tool of editor.querySelectorAll<HTMLButtonElement>("[data-mark]")) tool.disabled = chosen === 1;
    if (chosen === 1 && preview) showPreview(editor, field, preview);
  };
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => show(place));
    tab.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      tabs[1 - place]?.focus();
      show(1 - place);
    });
  });
  field.form?.addEventListener("hub:done", () => show(0));
}

/** The hub renders it, as it will be: into a part of the page that htmx fills. */
function showPreview(editor: HTMLElement, field: HTMLTextAreaElement, preview: HTMLElement): void {
  preview.replaceChildren();
  if (!field.value.trim()) {
    preview.textContent = text("There is nothing to show yet.");
    return;
  }
  window.htmx
    .ajax("post", "/-/preview", {
      target: preview,
      swap: "innerHTML",
      values: { text: field.value, base: editor.dataset["base"] ?? "", breaks: editor.dataset["breaks"] ?? "" },
      headers: { "X-CSRF-Token": csrf() },
    })
    .catch(tellError);
}

function setUpTools(editor: HTMLElement, field: HTMLTextAreaElement): void {
  for (const tool of editor.querySelectorAll<HTMLElement>("[data-mark]")) {
    tool.addEventListener("click", () => MARKS[tool.dataset["mark"] ?? ""]?.(field));
  }
  field.addEventListener("keydown", (event) => {
    const mark = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey ? KEYS[event.key] : undefined;
    if (mark) MARKS[mark]?.(field);
    else if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
    else if (event.defaultPrevented || !goOnWithList(field)) return;
    event.preventDefault();
  });
}

// Pictures: pasted, dropped or chosen.

async function upload(file: File): Promise<string> {
  const answer = await fetch("/uploads", {
    method: "POST",
    headers: { "X-CSRF-Token": csrf(), "Content-Type": file.type || "application/octet-stream" },
    body: file,
  });
  if (answer.ok) return new URL(await answer.text(), location.href).pathname;
  const told = await answer.json().catch(() => ({}));
  const words = told.msg || told.error || text("This file could not be attached.");
  throw new ApiError(words, answer.status, told.code ?? "", told.trace_id ?? "", {});
}

function attach(field: HTMLTextAreaElement, files: Iterable<File>): void {
  for (const file of files) {
    const name = file.name.replace(/[[\]\\\r\n]/g, "") || "picture";
    const place = `![${text("Uploading {name} …", { name })}]()`;
    replaceMarked(field, `${place}\n`);
    upload(file).then(
      (address) => {
        const isPicture = file.type.startsWith("image/") || file.type === "";
        replaceText(field, place, isPicture ? `![${name}](${address})` : `[${name}](${address})`);
      },
      (error) => {
        replaceText(field, `${place}\n`, "");
        tellError(error);
      },
    );
  }
}

function setUpFiles(editor: HTMLElement, field: HTMLTextAreaElement): void {
  const chooser = editor.querySelector<HTMLInputElement>("[data-editor-files]");
  if (!chooser) return;
  chooser.addEventListener("change", () => {
    attach(field, chooser.files ?? []);
    chooser.value = "";
  });
  field.addEventListener("paste", (event) => {
    const files = event.clipboardData?.files;
    if (!files?.length) return;
    event.preventDefault();
    attach(field, files);
  });
  for (const kind of ["dragover", "dragleave", "drop"] as const) {
    editor.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      editor.classList.toggle("takes-drop", kind === "dragover");
      if (kind === "drop") attach(field, event.dataTransfer.files);
    });
  }
}

onEach<HTMLElement>("[data-markdown-editor]", (editor) => {
  const field = editor.querySelector("textarea");
  if (!field) return;
  setUpTabs(editor, field);
  startCompleting(editor, field);
  setUpTools(editor, field);
  setUpFiles(editor, field);
});
