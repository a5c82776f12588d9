// Reviews on the page of a pull request's files: remarks on lines, kept until the review is submitted.
import { ApiError, call } from "./lib/api";
import { make, on } from "./lib/dom";
import { forgetDraft } from "./lib/drafts";
import { addRemark, dropRemark, forgetRemarks, type Remark, remarksOf } from "./lib/remarks";
import { replaceMarked } from "./lib/text_edits";
import { text } from "./lib/texts";
import { tellError, tellNext } from "./lib/toasts";

const bar = document.querySelector<HTMLElement>("[data-review]");
const api = bar?.dataset["review"] ?? "";
const head = bar?.dataset["head"] ?? "";
let made = 0;

// Where a remark is written.

/** The button beside a line. */
const buttonAt = ({ path, side, end_line }: Pick<Remark, "path" | "side" | "end_line">): HTMLElement | null =>
  document.querySelector(`.remark-here[data-path="${CSS.escape(path)}"][data-side="${side}"][data-line="${end_line}"]`);

/** A row below a line, for what is said about it. */
function addRow(button: HTMLElement, content: Node, kind = ""): HTMLTableRowElement {
  const row = make("tr", { class: `remarks ${kind}` }, make("td", { colspan: "4" }, content));
  let below: Element | null = button.closest("tr");
  while (below?.nextElementSibling?.classList.contains("remarks")) below = below.nextElementSibling;
  below?.after(row);
  return row;
}

function openForm(button: HTMLElement, firstLine: number): void {
  const template = document.getElementById("line-form");
  if (!(template instanceof HTMLTemplateElement)) return;
  const form = template.content.firstElementChild?.cloneNode(true);
  if (!(form instanceof HTMLFormElement)) return;
  made += 1;
  for (const element of form.querySelectorAll("*")) {
    for (const { name, value } of [...element.attributes]) {
      if (value.includes("line-PLACE")) element.setAttribute(name, value.replaceAll("line-PLACE", `line-${made}`));
    }
  }
  const { path = "", side = "new", line = "1" } = button.dataset;
  Object.assign(form.dataset, { path, side, line, draft: `line:${path}:${side}:${line}` });
  const first = form.elements.namedItem("start_line") as HTMLInputElement;
  first.value = String(Math.min(firstLine, Number(line)));
  first.max = line;
  form.querySelector("[data-end]")?.append(line);
  addRow(button, form, "writing");
  form.querySelector("textarea")?.focus();
}

let lastLine: { path: string; side: string; line: number } | undefined;

on("click", ".remark-here", (button, event) => {
  const { path = "", side = "new", line = "1" } = button.dataset;
  const isRange = event.shiftKey && lastLine?.path === path && lastLine.side === side;
  openForm(button, isRange && lastLine ? lastLine.line : Number(line));
  lastLine = { path, side, line: Number(line) };
});

function closeForm(form: HTMLFormElement): void {
  forgetDraft(form);
  form.closest("tr")?.remove();
}

on("click", "[data-line-form] [data-drop]", (button) => {
  const form = button.closest("form");
  if (form) closeForm(form);
});

// A suggestion begins as what the lines are.
on("click", "[data-suggest]", (button) => {
  const form = button.closest("form");
  const field = form?.querySelector("textarea");
  if (!form || !field) return;
  const { path = "", line = "1" } = form.dataset;
  const first = Number((form.elements.namedItem("start_line") as HTMLInputElement).value);
  const lines: string[] = [];
  for (let number = first; number <= Number(line); number += 1) {
    const cell = buttonAt({ path, side: "new", end_line: number })?.closest("td");
    const copy = cell?.cloneNode(true) as HTMLElement | undefined;
    for (const extra of copy?.querySelectorAll("button, span.quiet") ?? []) extra.remove();
    lines.push((copy?.textContent ?? "").replace(/\n$/, ""));
  }
  const words = lines.join("\n");
  field.setSelectionRange(field.value.length, field.value.length);
  replaceMarked(field, `\`\`\`suggestion\n${words}\n\`\`\`\n`, 14, 14 + words.length);
});

// What waits for the review to be submitted.

function draw(remark: Remark): void {
  const button = buttonAt(remark);
  if (!button || button.closest("table")?.querySelector(`[data-remark="${remark.id}"]`)) return;
  const drop = make("button", { type: "button", class: "button tiny" }, text("Remove"));
  const lines =
    remark.start_line === remark.end_line ? `${remark.end_line}` : `${remark.start_line}–${remark.end_line}`;
  const box = make(
    "div",
    { class: "box pending", "data-remark": remark.id, "data-testid": "line.pending" },
    make("div", { class: "row small" }, make("span", { class: "chip wait" }, text("Pending")), lines, drop),
    make("pre", {}, remark.content),
  );
  const row = addRow(button, box);
  drop.addEventListener("click", () => {
    dropRemark(api, remark.id);
    row.remove();
    show();
  });
}

function show(): void {
  const remarks = remarksOf(api);
  const count = document.querySelector<HTMLElement>("[data-pending-count]");
  const words = document.querySelector<HTMLElement>("[data-pending-words]");
  if (count) count.textContent = String(remarks.length);
  count?.toggleAttribute("hidden", !remarks.length);
  if (words) words.textContent = text("{count} remarks on lines go with it.", { count: remarks.length });
  words?.toggleAttribute("hidden", !remarks.length);
  for (const remark of remarks) draw(remark);
}

/** What was about to be lost stays in the form; the reason stands above it. */
function tellIn(form: HTMLFormElement, error: unknown): void {
  form.querySelector(".form-fault")?.remove();
  if (error instanceof ApiError && error.code === "head_changed") {
    const words = text("There are other commits by now. Load the page again; what you wrote is kept.");
    form.prepend(make("p", { class: "callout bad form-fault", role: "alert" }, words));
  } else tellError(error);
}

const bodyOf = ({ path, side, start_line, end_line, content }: Remark) => ({
  path,
  side,
  start_line,
  end_line,
  content,
});

document.addEventListener("submit", (event) => {
  const form = event.target as HTMLFormElement;
  if (form.dataset["lineForm"] === undefined) return;
  event.preventDefault();
  const data = new FormData(form);
  const { path = "", side = "new", line = "1" } = form.dataset;
  const remark: Remark = {
    id: crypto.randomUUID(),
    path,
    side,
    start_line: Number(data.get("start_line")) || Number(line),
    end_line: Number(line),
    content: String(data.get("content")),
  };
  if ((event.submitter as HTMLElement | null)?.dataset["now"] === undefined) {
    addRemark(api, remark);
    closeForm(form);
    show();
    return;
  }
  const body = { state: "commented", comments: [bodyOf(remark)], commit_id: head };
  call(`${api}/reviews`, { method: "POST", body, key: remark.id }).then(
    () => {
      closeForm(form);
      location.reload();
    },
    (error) => tellIn(form, error),
  );
});

document.addEventListener("submit", (event) => {
  const form = event.target as HTMLFormElement;
  if (form.dataset["reviewForm"] === undefined) return;
  event.preventDefault();
  const data = new FormData(form);
  const comments = remarksOf(api).map(bodyOf);
  const key = (form.dataset["key"] ??= crypto.randomUUID());
  const body = { state: data.get("state"), content: data.get("content"), comments, commit_id: head };
  call(`${api}/reviews`, { method: "POST", body, key }).then(
    () => {
      forgetRemarks(api);
      forgetDraft(form);
      tellNext(text("Your review is there."));
      location.assign(`${location.pathname.replace(/\/files$/, "")}?page=last`);
    },
    (error) => {
      delete form.dataset["key"];
      tellIn(form, error);
    },
  );
});

// Lines are fetched as one scrolls: what is pending about them is drawn then.
document.addEventListener("htmx:afterSettle", show);
document.addEventListener("hub:diff", show);
show();
