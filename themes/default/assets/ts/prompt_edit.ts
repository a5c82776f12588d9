// The editor of a prompt: its lists of messages, variables and examples, the places in its texts, a preview, saving.
import { type ApiError, call } from "./lib/api";
import { icon, make } from "./lib/dom";
import { forgetDraft } from "./lib/drafts";
import { ItemList } from "./lib/items";
import { language, text } from "./lib/texts";
import { tellError, tellNext } from "./lib/toasts";

interface Variable {
  name: string;
  type: string;
  default: string;
  options: string[];
}

interface Message {
  role: string;
  content: string;
}

interface Previewed {
  content: string;
  messages: Message[];
  troubles: { name: string; reason: string }[];
}

interface Saved {
  file_path: string;
  commit_id: string;
  branch: string;
}

// As the hub reads them: names in any script, at most a few spaces around them.
const PLACE = /\{\{[ \t]{0,8}([\p{L}\p{Nl}_][\p{L}\p{N}_.-]{0,63})[ \t]{0,8}\}\}/gu;
// Characters of scripts that are written without spaces count as a token each, of the others about four make one.
const WHOLE = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]/g;
const CHARS_PER_TOKEN = 4;

const form = document.querySelector<HTMLFormElement>(".prompt-form") as HTMLFormElement;
const content = document.getElementById("prompt-content") as HTMLTextAreaElement;
const usage = document.getElementById("usage") as HTMLElement;
const values = document.getElementById("values") as HTMLElement;
const previewed = document.getElementById("preview-text") as HTMLElement;
const branch = document.getElementById("new-branch") as HTMLInputElement | null;
const version = document.getElementById("version") as HTMLInputElement | null;
const lists = Object.fromEntries(
  [...form.querySelectorAll<HTMLFieldSetElement>("[data-list]")].map((field) => [
    field.dataset["list"] ?? "",
    new ItemList(field),
  ]),
);
const messages = lists["messages"] as ItemList;
const variables = lists["variables"] as ItemList;

// Places and variables.

function textsNow(): string[] {
  return [content.value, ...messages.read<Message>().map((message) => message.content)];
}

function placesNow(): string[] {
  const found = textsNow().flatMap((words) => [...words.matchAll(PLACE)].map((match) => match[1] ?? ""));
  return [...new Set(found)];
}

function showUsage(): void {
  const used = placesNow();
  const known = variables.read<Variable>().map((variable) => variable.name);
  const undefinedNames = used.filter((name) => !known.includes(name));
  const unused = known.filter((name) => name && !used.includes(name));
  usage.replaceChildren();
  if (undefinedNames.length) {
    const line = make("div", { class: "row" }, text("In the text, but not in this table:"));
    for (const name of undefinedNames.slice(0, 50)) {
      const add = make("button", { type: "button", class: "button tiny" }, icon("plus"), name);
      add.dataset["testid"] = `prompt-edit.define.${name}`;
      add.addEventListener("click", () => variables.add({ name, type: "text", required: true }));
      line.append(add);
    }
    usage.append(make("div", { class: "callout wait" }, line));
  }
  if (unused.length) {
    const words = text("In this table, but in no text: {names}", { names: unused.join(", ") });
    usage.append(make("div", { class: "callout" }, words));
  }
  showValues(used);
}

// What was tried for a place stays while its text is written anew.
const tried = new Map<string, HTMLInputElement>();
let shownNames = "";

function showValues(names: string[]): void {
  const table = new Map(variables.read<Variable>().map((variable) => [variable.name, variable]));
  const fieldOf = (name: string) => {
    const field = tried.get(name) ?? make("input", { id: `value-${name}`, autocomplete: "off" });
    field.dataset["value"] = name;
    field.dataset["testid"] = `prompt-edit.value.${name}`;
    field.placeholder = table.get(name)?.default ?? "";
    tried.set(name, field);
    return field;
  };
  const fields = names.map(fieldOf);
  // One of them may be the one that is typed in.
  if (names.join() === shownNames) return;
  shownNames = names.join();
  values.replaceChildren(
    ...fields.map((field) => make("label", { for: field.id }, field.dataset["value"] ?? "", field)),
  );
}

function showTokens(): void {
  const words = textsNow().join("");
  const whole = words.match(WHOLE)?.length ?? 0;
  const count = whole + Math.ceil((words.length - whole) / CHARS_PER_TOKEN);
  const shown = document.getElementById("tokens");
  const number = new Intl.NumberFormat(language).format(count);
  if (shown)
    shown.textContent = text("About {count} tokens (an estimate; models count differently)", { count: number });
}

function refresh(): void {
  showUsage();
  showTokens();
}

// Preview.

async function preview(): Promise<void> {
  const given: Record<string, string> = {};
  for (const field of values.querySelectorAll<HTMLInputElement>("input")) {
    if (field.value) given[field.dataset["value"] ?? ""] = field.value;
  }
  const body = {
    content: content.value,
    messages: messages.read(),
    variables: variables.read(),
    values: given,
  };
  const shown = await call<Previewed>(form.dataset["preview"] ?? "", { method: "POST", body });
  previewed.replaceChildren();
  if (shown.troubles.length) {
    const list = make("ul", { class: "plain" });
    for (const { name, reason } of shown.troubles) list.append(make("li", {}, make("b", {}, name), ` ${reason}`));
    previewed.append(make("div", { class: "callout wait" }, list));
  }
  const blocks = shown.messages.length ? shown.messages : [{ role: "", content: shown.content }];
  for (const block of blocks) {
    if (block.role) previewed.append(make("p", { class: "quiet small" }, block.role));
    previewed.append(make("pre", { class: "prompt-text", tabindex: "0" }, block.content));
  }
}

// Saving.

function showStale(current: string): void {
  const place = document.getElementById("stale") as HTMLElement;
  const compare = form.dataset["compare"] ?? "";
  const look = make("a", { href: compare, target: "_blank", class: "button tiny" }, text("See what they changed"));
  const mine = make("button", { type: "button", class: "button tiny" }, text("Put mine in place of theirs"));
  mine.dataset["testid"] = "prompt-edit.overwrite";
  mine.addEventListener("click", () => {
    sha().value = current;
    place.replaceChildren();
    form.requestSubmit();
  });
  const theirs = make("button", { type: "button", class: "button tiny" }, text("Give mine up"));
  theirs.addEventListener("click", () => {
    forgetDraft(form);
    location.reload();
  });
  const words = text("Somebody else has saved this prompt meanwhile. What you wrote is still here, and not saved.");
  const box = make("div", { class: "callout wait" }, icon("triangle-alert"));
  box.append(
    make("div", { class: "grow stack" }, make("p", {}, words), make("div", { class: "row" }, look, mine, theirs)),
  );
  box.dataset["testid"] = "prompt-edit.stale";
  place.replaceChildren(box);
  place.scrollIntoView({ block: "center" });
}

const sha = () => form.elements.namedItem("sha") as HTMLInputElement;
const isProposed = () => (form.elements.namedItem("target") as RadioNodeList | null)?.value === "new";

async function finish(saved: Saved): Promise<void> {
  const page = `${form.dataset["page"]}/${saved.file_path.split("/").map(encodeURIComponent).join("/")}`;
  if (isProposed()) {
    const said = (name: string) => (form.elements.namedItem(name) as HTMLInputElement).value.trim();
    const query = new URLSearchParams({ head: saved.branch, title: said("message") || said("title") });
    location.assign(`${form.dataset["propose"]}&${query}`);
    return;
  }
  const name = version?.value.trim();
  let told = text("Saved.");
  if (name) {
    const address = page.replace(form.dataset["page"] ?? "", form.dataset["versions"] ?? "");
    try {
      await call(address, { method: "POST", body: { name, ref: saved.commit_id } });
    } catch (error) {
      told = text("Saved, but the version has no name: {reason}", { reason: (error as Error).message });
    }
  }
  tellNext(told);
  location.assign(page);
}

form.addEventListener("hub:done", (event) => void finish((event as CustomEvent<Saved>).detail));
form.addEventListener("hub:failed", (event) => {
  const error = (event as CustomEvent<ApiError>).detail;
  if (error.status !== 409 || error.reason !== "file_changed") return;
  form.querySelector(".form-fault")?.remove();
  showStale(String(error.context["sha"] ?? ""));
});
form.addEventListener("change", () => {
  if (!branch) return;
  branch.hidden = !isProposed();
  // Only what is sent has a name.
  branch.toggleAttribute("name", isProposed());
  if (isProposed()) branch.name = "new_branch";
  const field = form.querySelector<HTMLElement>("[data-version-field]");
  if (field) field.hidden = isProposed();
});
form.addEventListener("input", refresh);
form.querySelector("[data-discard]")?.addEventListener("click", () => forgetDraft(form));
document.getElementById("preview")?.addEventListener("click", () => void preview().catch(tellError));
refresh();
// A draft of an older version.
if (form.dataset["sha"] && sha().value !== form.dataset["sha"]) showStale(form.dataset["sha"]);
