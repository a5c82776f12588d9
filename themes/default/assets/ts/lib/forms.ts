// Forms and buttons that call the REST API. What they do is written in the page:
//
//   <form data-api="/api/v1/…" data-method="PUT" data-then="reload" data-toast="Saved.">
//   <button data-api="/api/v1/…" data-method="DELETE" data-confirm="ada/bert" data-undo="PUT">
//
// Fields become members of a JSON object by their names; "a.b" nests. data-type on a field: "number", "list" (a comma
// or a line between), "json", "moment" (of a local date and time), "boolean" (of a select). A checkbox is true or false, or one of a list where several have
// its name. A field that is empty and has data-skip is left out. What a field with data-address says stands in the
// address in place of its {name}, and not in the body.
// data-then: "reload", an address with {members} of the answer's data, "close" (the dialog), or nothing. An event
// "hub:done" with the answer as detail is sent from the form in each case, before that; "hub:failed" with the ApiError
// when the API refused it and what it said is shown.
// data-base: a JSON object with the members that the form does not show.
// What was typed is kept until it is sent (data-draft="a name"), also over the end of a session.
import { ApiError, call } from "./api";
import { make, on, onEach } from "./dom";
import { text } from "./texts";
import { tell, tellError, tellNext } from "./toasts";

type Json = Record<string, unknown>;
type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

function put(body: Json, name: string, value: unknown): void {
  const [last = "", ...above] = name.split(".").reverse();
  let target = body;
  for (const part of above.reverse()) target = (target[part] ??= {}) as Json;
  target[last] = value;
}

function find(body: Json, name: string): unknown {
  return name.split(".").reduce<unknown>((at, part) => (at as Json | undefined)?.[part], body);
}

/** The JSON object that a form stands for. */
export function bodyOf(form: HTMLFormElement): Json {
  const body: Json = JSON.parse(form.dataset["base"] ?? "{}");
  for (const field of Array.from(form.elements) as Field[]) {
    if (!field.name || field.disabled || field.type === "submit" || field.type === "button") continue;
    if (field instanceof HTMLInputElement && field.type === "radio" && !field.checked) continue;
    const type = field.dataset["type"];
    if (field instanceof HTMLInputElement && field.type === "checkbox") {
      if (type === "list") {
        const list = (find(body, field.name) ?? []) as string[];
        put(body, field.name, field.checked ? [...list, field.value] : list);
      } else put(body, field.name, field.checked);
      continue;
    }
    // It is a part of the address.
    if (field.dataset["address"] !== undefined) continue;
    const value = field.value;
    if (value === "" && field.dataset["skip"] !== undefined) continue;
    if (type === "number") put(body, field.name, value === "" ? null : Number(value));
    else if (type === "boolean") put(body, field.name, value === "true");
    else if (type === "moment") put(body, field.name, value ? new Date(value).toISOString() : null);
    else if (type === "json") put(body, field.name, value ? JSON.parse(value) : null);
    else if (type === "list")
      put(
        body,
        field.name,
        value
          .split(/[,\n]/)
          .map((part) => part.trim())
          .filter(Boolean),
      );
    else put(body, field.name, value);
  }
  return body;
}

/** Mark the fields that the API found fault with; true when it named one of this form's. */
function showFaults(form: HTMLFormElement, error: ApiError): boolean {
  const faults: Json = { ...(error.context["errors"] as Json | undefined) };
  const member = error.context["member"] ?? error.context["field"];
  if (typeof member === "string") faults[member] ??= error.message;
  let isShown = false;
  for (const [name, fault] of Object.entries(faults)) {
    const field = form.elements.namedItem(name);
    if (!(field instanceof HTMLElement)) continue;
    isShown = true;
    const id = `fault-${name.replace(/\W/g, "-")}`;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", id);
    const words = Array.isArray(fault) ? fault.join(" ") : String(fault);
    field.closest(".field")?.append(make("p", { class: "fault", id }, words));
    field.focus();
  }
  return isShown;
}

function clearFaults(form: HTMLElement): void {
  for (const fault of form.querySelectorAll(".fault, .form-fault")) fault.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

function fill(template: string, answer: unknown): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String((answer as Json | null)?.[name] ?? "")).replaceAll("%2F", "/"),
  );
}

/** Where a form is sent to: {name} in its data-api is what the field of that name with data-address says. */
function addressOf(form: HTMLFormElement): string {
  const told = [...form.querySelectorAll<Field>("[data-address]")].map((field) => [field.name, field.value.trim()]);
  return told.length ? fill(form.dataset["api"] ?? "", Object.fromEntries(told)) : (form.dataset["api"] ?? "");
}

async function send(element: HTMLElement, body: unknown, key: string, address?: string): Promise<void> {
  const { api: own = "", method = "POST", toast, undo } = element.dataset;
  const api = address ?? own;
  const then = element.dataset["then"] ?? "";
  const answer = await call(api, { method, body, key });
  element.dispatchEvent(new CustomEvent("hub:done", { bubbles: true, detail: answer }));
  forgetDraft(element);
  if (then === "close") element.closest("dialog")?.close();
  const leaves = then && then !== "close";
  if (toast) {
    if (leaves) tellNext(toast);
    else
      tell(toast, undo ? () => void call(api, { method: undo }).then(() => location.reload(), tellError) : undefined);
  }
  if (then === "reload") location.reload();
  else if (leaves) location.assign(fill(then, answer));
}

async function submit(form: HTMLFormElement, submitter: HTMLElement | null): Promise<void> {
  clearFaults(form);
  // The same key until it has worked: sent twice by a shaky connection, it happens once.
  const key = (form.dataset["key"] ??= crypto.randomUUID());
  const buttons = form.querySelectorAll<HTMLButtonElement>("button:not([type=button])");
  for (const button of buttons) button.disabled = true;
  try {
    const body = bodyOf(form);
    if (submitter?.dataset["name"]) put(body, submitter.dataset["name"], submitter.dataset["value"] ?? true);
    await send(form, body, key, addressOf(form));
    delete form.dataset["key"];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // Something else may be sent next; the answer to this stays what it is.
    if (error.status !== 0) delete form.dataset["key"];
    if (!showFaults(form, error)) {
      const about = [error.code, error.traceId].filter(Boolean).join(" · ");
      const box = make("div", { class: "callout bad form-fault", role: "alert" });
      box.append(make("div", {}, error.message, make("div", { class: "quiet small mono" }, about)));
      if (error.status === 401) {
        // What was typed stays here: one signs in elsewhere and sends it again.
        const link = make(
          "a",
          { href: "/login?next=/login/back", target: "_blank", class: "button tiny", "data-testid": "form.login" },
          text("Sign in in a new window"),
        );
        box.append(link);
      }
      form.prepend(box);
      box.scrollIntoView({ block: "nearest" });
    }
    form.dispatchEvent(new CustomEvent("hub:failed", { bubbles: true, detail: error }));
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target as HTMLFormElement;
  if (form.dataset["api"] === undefined) return;
  event.preventDefault();
  void submit(form, event.submitter as HTMLElement | null);
});

on("click", "button[data-api], a[data-api]", (button, event) => {
  event.preventDefault();
  if (button.getAttribute("aria-disabled") === "true") return;
  const confirm = button.dataset["confirm"];
  const run = () => {
    const body = button.dataset["body"];
    send(button, body ? JSON.parse(body) : undefined, crypto.randomUUID()).catch(tellError);
  };
  if (confirm === undefined) run();
  else askFor(confirm, button.dataset["confirmText"] ?? button.textContent?.trim() ?? "", run);
});

/** Ask before something that cannot be undone. word: what must be typed; "" for a plain yes. */
export function askFor(word: string, question: string, run: () => void): void {
  const field = make("input", { autocomplete: "off", id: "confirm-word", "data-testid": "confirm.word" });
  const yes = make("button", { type: "submit", class: "button danger", "data-testid": "confirm.yes" }, text("Confirm"));
  const no = make("button", { type: "button", class: "button" }, text("Cancel"));
  const body = make("div", { class: "body stack" }, make("p", {}, question));
  if (word) {
    body.append(make("label", { for: "confirm-word" }, text("To go on, type {word}", { word })), field);
    yes.disabled = true;
    field.addEventListener("input", () => {
      yes.disabled = field.value !== word;
    });
  }
  const form = make("form", { method: "dialog" }, body, make("div", { class: "actions" }, no, yes));
  const dialog = make("dialog", { "aria-label": question }, form);
  no.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", run);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// Drafts

const draftName = (form: HTMLElement): string => `hub:draft:${location.pathname}:${form.dataset["draft"]}`;

function forgetDraft(form: HTMLElement): void {
  if (form.dataset["draft"] === undefined) return;
  sessionStorage.removeItem(draftName(form));
  form.dataset["clean"] = "";
}

onEach<HTMLFormElement>("form[data-draft]", (form) => {
  const fields = () =>
    (Array.from(form.elements) as Field[]).filter((field) => field.name && !/password|file|hidden/.test(field.type));
  const kept = JSON.parse(sessionStorage.getItem(draftName(form)) ?? "{}") as Record<string, string>;
  for (const field of fields()) {
    const value = kept[field.name];
    if (value !== undefined && !/checkbox|radio/.test(field.type)) {
      field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }
  form.addEventListener("input", () => {
    delete form.dataset["clean"];
    const typed = Object.fromEntries(fields().map((field) => [field.name, field.value]));
    sessionStorage.setItem(draftName(form), JSON.stringify(typed));
  });
});
