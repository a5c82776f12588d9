// Keys, budgets and models of the gateway: lines of a form that become a list, amounts of money, ends in days.
import { call, csrf } from "./lib/api";
import { on, onEach } from "./lib/dom";
import { text } from "./lib/texts";
import { tellError } from "./lib/toasts";

const NANO = 1e9;
const DAY_MS = 24 * 3600 * 1000;

/** A moment as a field for a local date and time has it. */
function localMoment(moment: Date): string {
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

// input[data-moment=ISO]: a date and time, by this browser's clock.
onEach<HTMLInputElement>("input[data-moment]", (field) => {
  const moment = new Date(field.dataset["moment"] ?? "");
  if (!Number.isNaN(moment.getTime())) field.value = localMoment(moment);
});

// button[data-days][data-for=ID]: an end so many days from now; without days, none.
on("click", "button[data-days]", (button) => {
  const field = document.getElementById(button.dataset["for"] ?? "") as HTMLInputElement | null;
  const days = Number(button.dataset["days"]);
  if (field) field.value = days ? localMoment(new Date(Date.now() + days * DAY_MS)) : "";
});

// Lines: <fieldset data-rows> with <input type=hidden name=NAME data-rows-of data-type=json>, a place for the lines
// ([data-rows-list]), a <template> of one, and buttons. Fields of a line are members of an object by their data-member
// ("a.b" nests): data-nano: an amount of money, in billionths; data-kind: "number", "boolean", or "headers", which are
// left out when nothing is written, so that those that are kept stay. What is sent is the list of these objects; with
// data-by="a" an object of them by their member a, with data-value="b" of their members b alone where they say something.

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

function headersOf(words: string): Record<string, string> | null {
  const lines = words.split("\n").filter((line) => line.trim());
  const pairs = lines.map((line) => {
    const [name = "", ...rest] = line.split(":");
    return [name.trim(), rest.join(":").trim()];
  });
  return pairs.length ? Object.fromEntries(pairs) : null;
}

function memberOf(field: Field): unknown {
  const { kind } = field.dataset;
  if (field.dataset["nano"] !== undefined) {
    const perUnit = Number(field.dataset["nano"] || NANO);
    return field.value === "" ? null : Math.round(Number(field.value) * perUnit);
  }
  if (kind === "boolean") return (field as HTMLInputElement).checked;
  if (kind === "number") return field.value === "" ? null : Number(field.value);
  if (kind === "headers") return headersOf(field.value);
  return field.value;
}

type Json = Record<string, unknown>;

/** The object that a line stands for; known: those that are kept, of which one may be the line's, by its id. */
function objectOf(row: Element, known: Json[]): Json {
  const found: Json = {};
  for (const field of row.querySelectorAll<Field>("[data-member]")) {
    const [name = "", inner] = (field.dataset["member"] ?? "").split(".");
    if (inner === undefined) found[name] = memberOf(field);
    else found[name] = { ...(found[name] as Json | undefined), [inner]: memberOf(field) };
  }
  return { ...known.find((one) => one["id"] !== undefined && one["id"] === found["id"]), ...found };
}

/** Objects by one of their members, or only what another member of each says. */
function byMember(objects: Json[], by: string, value: string | undefined): Json {
  const named = objects.map(({ [by]: name, ...rest }): [string, unknown] => [
    String(name ?? "").trim(),
    value === undefined ? rest : rest[value],
  ]);
  return Object.fromEntries(named.filter(([name, said]) => name && said !== null && said !== ""));
}

// form[data-base-from="/api/v1/…"]: what is kept there and not shown in the form stays as it is.
onEach<HTMLFormElement>("form[data-base-from]", (form) => {
  call<Json>(form.dataset["baseFrom"] ?? "").then((kept) => {
    const { id: _id, created_at: _created, updated_at: _updated, ...rest } = kept;
    form.dataset["base"] = JSON.stringify(rest);
  }, tellError);
});

onEach<HTMLElement>("[data-rows]", (group) => {
  const list = group.querySelector<HTMLElement>("[data-rows-list]");
  const pattern = group.querySelector("template");
  const add = group.querySelector<HTMLButtonElement>("[data-rows-add]");
  const sent = [...group.querySelectorAll<HTMLInputElement>("input[data-rows-of]")];
  if (!list || !pattern || !add) return;
  const rows = () => [...list.querySelectorAll("[data-row]")];
  const look = () => {
    add.disabled = rows().length >= Number(group.dataset["most"] ?? 100);
  };
  add.addEventListener("click", () => {
    list.append(pattern.content.cloneNode(true));
    rows().at(-1)?.querySelector<HTMLElement>("[data-member]")?.focus();
    look();
  });
  list.addEventListener("click", (event) => {
    const button = (event.target as Element).closest("[data-rows-remove]");
    if (!button) return;
    button.closest("[data-row]")?.remove();
    add.focus();
    look();
  });
  look();
  // Before the form is sent: forms.ts listens later.
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target as HTMLFormElement;
      if (!form.contains(group)) return;
      const base = JSON.parse(form.dataset["base"] ?? "{}") as Record<string, Json[] | undefined>;
      for (const hidden of sent) {
        const { by, value } = hidden.dataset;
        const objects = rows().map((row) => objectOf(row, by ? [] : (base[hidden.name] ?? [])));
        hidden.value = JSON.stringify(by ? byMember(objects, by, value) : objects);
      }
    },
    true,
  );
});

// input[data-scaled=NAME]: an amount in other units than those that are sent, by the hidden field of that name.
document.addEventListener(
  "submit",
  (event) => {
    for (const shown of (event.target as HTMLFormElement).querySelectorAll<HTMLInputElement>("[data-scaled]")) {
      const sent = shown.form?.elements.namedItem(shown.dataset["scaled"] ?? "");
      if (sent instanceof HTMLInputElement) sent.value = String(memberOf(shown) ?? 0);
    }
  },
  true,
);

// button[data-try-model]: one small call of a model, on the account of who clicks; what came of it stands beside it.
const TRIES: Record<string, [string, Json]> = {
  "feature-extraction": ["embeddings", { input: "Hello" }],
  "text-ranking": ["rerank", { query: "Hello", documents: ["Hello", "Good-bye"] }],
};
const CHAT: [string, Json] = ["chat/completions", { messages: [{ role: "user", content: "Hello" }], max_tokens: 8 }];

async function tryModel(button: HTMLElement, place: HTMLElement): Promise<void> {
  const { tryModel: model = "", task = "", url = "" } = button.dataset;
  const [route, members] = TRIES[task] ?? CHAT;
  const headers = { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": csrf() };
  const began = performance.now();
  const answer = await fetch(url + route, { method: "POST", headers, body: JSON.stringify({ model, ...members }) });
  const told = (await answer.json()) as { error?: { message?: string }; msg?: string };
  const seconds = ((performance.now() - began) / 1000).toFixed(2);
  place.className = `small try-answer ${answer.ok ? "good" : "bad"}`;
  place.textContent = answer.ok
    ? text("It answers, after {seconds} s.", { seconds })
    : (told.error?.message ?? told.msg ?? String(answer.status));
}

on("click", "button[data-try-model]", (button) => {
  const place = button.closest("td")?.querySelector<HTMLElement>("[data-try-answer]");
  if (!place) return;
  (button as HTMLButtonElement).disabled = true;
  place.className = "small try-answer quiet";
  place.textContent = text("It is asked …");
  tryModel(button, place)
    .catch(tellError)
    .finally(() => {
      (button as HTMLButtonElement).disabled = false;
    });
});
