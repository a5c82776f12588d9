// The form over a card's metadata: fields and YAML tell the same, and what is wrong is said while one types.
import { ApiError, call } from "./lib/api";
import { icon, make } from "./lib/dom";
import { text } from "./lib/texts";
import { tellError } from "./lib/toasts";

interface Problem {
  key: string;
  line: number | null;
  severity: "error" | "warning" | "note";
  reason: string;
}

interface Checked {
  metadata: Record<string, unknown>;
  problems: Problem[];
  content?: string;
}

const WAIT_MS = 300;
const HEAD = /^\ufeff?---[ \t]*\r?\n([\s\S]*?)^---[ \t]*\r?$\n?/m;

const form = document.querySelector<HTMLFormElement>(".card-form") as HTMLFormElement;
const head = document.getElementById("card-head") as HTMLTextAreaElement;
const content = document.getElementById("card-content") as HTMLTextAreaElement;
const problems = document.getElementById("card-problems") as HTMLElement;
const files = form.elements.namedItem("files") as HTMLInputElement;
const members = [...form.querySelectorAll<HTMLInputElement | HTMLSelectElement>("[data-member]")];
const shown = new Map(members.map((field) => [field, sentValue(field)]));

let timer = 0;
let asked = 0;

/** The value that the page came with, whatever was typed since. */
function sentValue(field: HTMLInputElement | HTMLSelectElement): string {
  if (field instanceof HTMLInputElement) return field.defaultValue;
  return ([...field.options].find((option) => option.defaultSelected) ?? field.options[0])?.value ?? "";
}

function headOf(whole: string): string {
  return whole.startsWith("---") || whole.startsWith("\ufeff---") ? (HEAD.exec(whole)?.[1] ?? "") : "";
}

function withHead(whole: string, yaml: string): string {
  const body = headOf(whole) || /^\ufeff?---\s*\n---/.test(whole) ? whole.replace(HEAD, "") : whole;
  const lines = yaml && !yaml.endsWith("\n") ? `${yaml}\n` : yaml;
  return lines ? `---\n${lines}---\n${body}` : body;
}

/** What a field stands for in YAML; null: it is not there. */
function readField(field: HTMLInputElement | HTMLSelectElement): unknown {
  const words = field.value.trim();
  if (!words) return null;
  if (field.dataset["words"] === undefined) return words;
  const list = words
    .split(",")
    .map((word) => word.trim())
    .filter(Boolean);
  return list.length === 1 && field.dataset["words"] === "text" ? list[0] : list;
}

function showProblems(found: Problem[]): void {
  problems.replaceChildren();
  const told = found.filter((problem) => problem.key || problem.severity !== "warning" || problem.line);
  if (!told.length) return;
  const list = make("ul");
  for (const { key, line, reason } of told.slice(0, 10)) {
    const place = line ? ` ${text("line {line}", { line: line - 1 })}:` : "";
    list.append(make("li", {}, make("b", {}, key), `${place} ${reason}`));
  }
  const isBad = told.some((problem) => problem.severity === "error");
  problems.append(
    make("div", { class: `callout ${isBad ? "bad" : "wait"}` }, icon("triangle-alert"), make("div", {}, list)),
  );
}

function keep(): void {
  const file = { path: form.dataset["path"], action: "put", content: content.value, sha: form.dataset["sha"] };
  files.value = JSON.stringify([file]);
}

async function check(changes: Record<string, unknown>, isFromHead: boolean): Promise<void> {
  const number = ++asked;
  try {
    const body = { type: form.dataset["kind"], content: content.value, changes };
    const told = await call<Checked>("/api/v1/validate-card", { method: "POST", body });
    if (number !== asked) return;
    if (told.content !== undefined) content.value = told.content;
    if (isFromHead) fillFields(told.metadata);
    else head.value = headOf(content.value);
    showProblems(told.problems);
    keep();
  } catch (error) {
    if (error instanceof ApiError && error.status === 422) {
      showProblems([{ key: "", line: null, severity: "error", reason: error.message }]);
    } else tellError(error);
  }
}

function fillFields(metadata: Record<string, unknown>): void {
  for (const field of members) {
    const value = metadata[field.dataset["member"] ?? ""];
    field.value = Array.isArray(value) ? value.join(", ") : value === undefined || value === null ? "" : String(value);
    shown.set(field, field.value);
  }
}

function changesOf(): Record<string, unknown> {
  const changed = members.filter((field) => field.value !== shown.get(field));
  for (const field of changed) shown.set(field, field.value);
  return Object.fromEntries(changed.map((field) => [field.dataset["member"] ?? "", readField(field)]));
}

function later(run: () => void): void {
  clearTimeout(timer);
  timer = window.setTimeout(run, WAIT_MS);
}

// What was typed before this script was there.
const early = changesOf();
if (Object.keys(early).length) void check(early, false);
for (const field of members) {
  for (const event of ["input", "change"]) {
    field.addEventListener(event, () =>
      later(() => {
        const changes = changesOf();
        if (Object.keys(changes).length) void check(changes, false);
      }),
    );
  }
}
head.addEventListener("input", () =>
  later(() => {
    content.value = withHead(content.value, head.value);
    keep();
    void check({}, true);
  }),
);

// What was typed last is taken along, even if nobody waited for its check.
let isReady = false;
form.addEventListener(
  "submit",
  (event) => {
    if (isReady) {
      isReady = false;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    clearTimeout(timer);
    const isHead = head.value !== headOf(content.value);
    if (isHead) content.value = withHead(content.value, head.value);
    void check(isHead ? {} : changesOf(), isHead).then(() => {
      isReady = true;
      form.requestSubmit(event.submitter);
    });
  },
  true,
);
keep();
void check({}, true);
