// The administrators' console: filters that show at once, sizes in GiB, what a licence would change, a preview.
import { call } from "./lib/api";
import { make, on, onEach } from "./lib/dom";
import { text } from "./lib/texts";
import { tellError } from "./lib/toasts";

const GIB = 2 ** 30;

// A choice of a list's filters is its answer: select[data-submits]. What is empty does not stand in the address.
on("change", "select[data-submits]", (select) => (select as HTMLSelectElement).form?.requestSubmit());

document.addEventListener("submit", (event) => {
  const form = event.target as HTMLFormElement;
  if (!form.matches("form.filters")) return;
  for (const field of form.querySelectorAll<HTMLInputElement | HTMLSelectElement>("input, select")) {
    field.disabled = !field.value;
  }
});

// Back to such a page, its fields can be used again.
window.addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll<HTMLInputElement>("form.filters :disabled")) field.disabled = false;
});

// form[data-gib=NAME]: what stands in GiB in [data-gib-value] is sent as bytes by the field of that name.
document.addEventListener(
  "submit",
  (event) => {
    const form = event.target as HTMLFormElement;
    const target = form.dataset["gib"] && form.elements.namedItem(form.dataset["gib"]);
    const source = form.querySelector<HTMLInputElement>("[data-gib-value]");
    if (!(target instanceof HTMLInputElement) || !source) return;
    target.value = source.value === "" ? "" : String(Math.round(Number(source.value) * GIB));
  },
  true,
);

type Answer = Record<string, unknown>;

/** A member of an answer as it is shown: words that the page has for it (data-VALUE), else what it says. */
function wordsFor(place: HTMLElement, value: unknown): string {
  const known = place.getAttribute(`data-${String(value)}`);
  if (known !== null) return known;
  if (value === undefined || value === null || value === "") return "–";
  if (Array.isArray(value)) return value.join(", ") || "–";
  const isMoment = typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value);
  const language = document.documentElement.lang || "en";
  if (isMoment) return new Date(value).toLocaleDateString(language, { dateStyle: "medium" });
  return typeof value === "number" ? value.toLocaleString(language) : String(value);
}

on("click", "[data-check-license]", (button) => {
  const form = button.closest("form");
  const data = form?.querySelector<HTMLTextAreaElement>("textarea[name=data]");
  const shown = document.getElementById(button.dataset["checkLicense"] ?? "");
  if (!data?.reportValidity() || !shown) return;
  call<Answer>("/api/v1/licenses/verify", { method: "POST", body: { data: data.value } }).then((answer) => {
    for (const place of shown.querySelectorAll<HTMLElement>("[data-answer]")) {
      place.textContent = wordsFor(place, answer[place.dataset["answer"] ?? ""]);
    }
    shown.hidden = false;
    shown.scrollIntoView({ block: "nearest" });
  }, tellError);
});

// textarea[data-preview=ID]: what is written stands there, too.
onEach<HTMLTextAreaElement>("textarea[data-preview]", (field) => {
  const place = document.getElementById(field.dataset["preview"] ?? "");
  field.addEventListener("input", () => {
    if (place) place.textContent = field.value || (place.dataset["empty"] ?? "");
  });
});

type Finding = { line: number; column: string; message: string };
type ImportAnswer = { rows: number; created: number; findings: Finding[] };

// form[data-import-users="/api/v1/…"]: a table of accounts is looked over; when nothing stands against it, it can be
// imported. What is changed is looked over again.
onEach<HTMLFormElement>("form[data-import-users]", (form) => {
  const told = form.querySelector<HTMLElement>("[data-import-answer]");
  const go = form.querySelector<HTMLButtonElement>("[data-import-go]");
  const field = form.elements.namedItem("csv") as HTMLTextAreaElement | null;
  if (!told || !go || !field) return;
  let looked = "";
  const tell = (answer: ImportAnswer) => {
    const lines = answer.findings.map((one) =>
      make("li", {}, text("Line {line}: {message}", { line: one.line, message: one.message })),
    );
    const words = lines.length
      ? text("Nothing is imported before this is mended:")
      : text("{count} accounts can be made.", { count: answer.rows });
    told.replaceChildren(make("p", {}, words), ...(lines.length ? [make("ul", { class: "small" }, ...lines)] : []));
  };
  field.addEventListener("input", () => (go.disabled = true));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const isGo = (event as SubmitEvent).submitter === go && field.value === looked;
    const body = { csv: field.value, dry_run: !isGo };
    call(form.dataset["importUsers"] ?? "", { method: "POST", body }).then((data) => {
      const answer = data as ImportAnswer;
      if (isGo && !answer.findings.length) return location.assign("/admin_panel/users?sort=created_at&order=desc");
      looked = body.csv;
      go.disabled = answer.findings.length > 0;
      tell(answer);
    }, tellError);
  });
});

// input[data-moment=ISO]: a date and time, by this browser's clock.
onEach<HTMLInputElement>("input[data-moment]", (field) => {
  const moment = new Date(field.dataset["moment"] ?? "");
  if (Number.isNaN(moment.getTime())) return;
  field.value = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
});
