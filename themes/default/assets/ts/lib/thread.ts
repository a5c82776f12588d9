// One issue or pull request: answers with quotes; what comes in from others does not touch what is being written.
import { call } from "./api";
import { on, onEach } from "./dom";
import { forgetDraft } from "./drafts";
import { replaceMarked } from "./text_edits";
import { text } from "./texts";
import { tell, tellError } from "./toasts";

// Quote a comment, or what is marked of it, in the field for a new one.
on("click", "[data-quote]", (button) => {
  const words = document.getElementById(button.dataset["quote"] ?? "");
  const field = document.querySelector<HTMLTextAreaElement>("[data-answer] textarea");
  if (!words || !field) return;
  const marked = getSelection();
  const isOf = marked && !marked.isCollapsed && words.contains(marked.anchorNode);
  const said = isOf ? marked.toString() : (words.textContent ?? "").replaceAll(/\n{3,}/g, "\n\n");
  const quoted = said.trim().replaceAll(/^/gm, "> ");
  button.closest("details")?.removeAttribute("open");
  field.setSelectionRange(field.value.length, field.value.length);
  replaceMarked(field, `${field.value && !field.value.endsWith("\n") ? "\n\n" : ""}${quoted}\n\n`);
  field.scrollIntoView({ block: "center" });
});

// A comment that is closed with the button beside it says both at once: the button's form has another address.
on("input", "[data-answer] textarea", (field) => {
  const form = field.closest("form");
  const isEmpty = !(field as HTMLTextAreaElement).value.trim();
  for (const button of form?.querySelectorAll<HTMLElement>("[data-with-words]") ?? []) {
    button.textContent = (isEmpty ? button.dataset["plain"] : button.dataset["withWords"]) ?? "";
  }
});

// Close or open, with what was written as a comment beside it.
on("click", "[data-set-status]", (button) => {
  const { setStatus = "", statusApi = "", reason = "" } = button.dataset;
  const field = document.querySelector<HTMLTextAreaElement>("[data-answer] textarea");
  const body = { status: setStatus, ...(reason && { reason }), ...(field?.value.trim() && { comment: field.value }) };
  call(statusApi, { method: "PUT", body }).then(() => {
    if (field?.form) forgetDraft(field.form);
    location.reload();
  }, tellError);
});

on("click", "[data-copy-link]", (button) => {
  button.closest("details")?.removeAttribute("open");
  const address = location.origin + location.pathname + (button.dataset["copyLink"] ?? "");
  navigator.clipboard.writeText(address).then(
    () => tell(text("Copied.")),
    () => tell(address),
  );
});

on("click", "[data-shuts]", (button) => button.closest("details")?.removeAttribute("open"));

// What was fetched twice stands once.
document.addEventListener("htmx:afterSettle", (event) => {
  const list = event.target;
  if (!(list instanceof HTMLElement) || list.id !== "timeline") return;
  const seen = new Set<string>();
  for (const item of [...list.children]) {
    if (item.id && seen.has(item.id)) item.remove();
    seen.add(item.id);
  }
});

// The message of a merge is the method's own until it is changed; methods that make no commit take none.
function followMethod(form: HTMLFormElement): void {
  const field = form.elements.namedItem("message");
  const ways = [...form.querySelectorAll<HTMLInputElement>("input[name=method]")];
  const chosen = ways.find((way) => way.checked)?.dataset["message"] ?? "";
  if (!(field instanceof HTMLTextAreaElement)) return;
  const isOwn = field.value && !ways.some((way) => way.dataset["message"] === field.value);
  if (chosen && !isOwn) field.value = chosen;
  field.disabled = !chosen;
  form.querySelector("[data-message-field]")?.toggleAttribute("hidden", !chosen);
}

on("change", "[data-merge-form] input[name=method]", (way) => {
  const form = way.closest("form");
  if (form) followMethod(form);
});
onEach<HTMLFormElement>("[data-merge-form]", followMethod);
