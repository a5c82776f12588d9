// A prompt of the library: found, filled in, and taken over into the conversation.
import { call } from "../api";
import { make } from "../dom";
import { text } from "../texts";
import { tellError } from "../toasts";

interface Found {
  title: string;
  file_path: string;
  repo_path: string;
  excerpt: string;
}

interface Variable {
  name: string;
  type: string;
  default: string;
  description: string;
  required: boolean;
  options: string[];
}

interface Prompt {
  title: string;
  content: string;
  messages: { role: string; content: string }[];
  variables: Variable[];
  variable_names: string[];
}

/** A prompt with its places filled in. */
export interface Taken {
  system: string;
  said: { user: string; assistant: string }[];
  question: string;
}

// As the hub reads them: hub/assets/records/variables.py.
const PLACE = /\{\{[ \t]*([\p{L}_][\p{L}\p{N}_.-]*)[ \t]*\}\}/gu;
const WAIT_MS = 200;

function takenOf(prompt: Prompt, values: Record<string, string>): Taken {
  const fill = (words: string) => words.replace(PLACE, (whole, name: string) => values[name] || whole);
  const messages = prompt.messages.length ? prompt.messages : [{ role: "user", content: prompt.content }];
  const taken: Taken = { system: "", said: [], question: "" };
  for (const { role, content } of messages) {
    const words = fill(content);
    if (role === "system") taken.system = [taken.system, words].filter(Boolean).join("\n\n");
    else if (role === "user") taken.question = [taken.question, words].filter(Boolean).join("\n\n");
    else {
      taken.said.push({ user: taken.question, assistant: words });
      taken.question = "";
    }
  }
  return taken;
}

function fieldOf(variable: Variable): HTMLElement {
  const id = `variable-${variable.name}`;
  const attributes = { id, name: variable.name, ...(variable.required && { required: "" }) };
  const options = variable.options.length ? variable.options : [];
  const field = options.length
    ? make("select", attributes, ...options.map((option) => make("option", {}, option)))
    : make("textarea", { ...attributes, rows: "1" });
  field.value = variable.default;
  const hint = variable.description ? [make("span", { class: "hint" }, variable.description)] : [];
  return make("div", { class: "field" }, make("label", { for: id }, variable.name), field, ...hint);
}

/** Set the dialog up; take: what becomes of the prompt that was chosen. */
export function setUpPrompts(dialog: HTMLDialogElement, take: (taken: Taken) => void): (path: string) => void {
  const part = <E extends HTMLElement>(name: string) => dialog.querySelector(`[data-prompts-${name}]`) as E;
  const [search, list, form, fields] = [
    part<HTMLInputElement>("search"),
    part("list"),
    part<HTMLFormElement>("form"),
    part("fields"),
  ];
  let chosen: Prompt | undefined;

  const choose = async (repository: string, path: string) => {
    const address = `/api/v1/prompts/${repository}/prompt/view/${path.split("/").map(encodeURIComponent).join("/")}`;
    chosen = await call<Prompt>(address);
    const known = new Map(chosen.variables.map((one) => [one.name, one]));
    const plain = { type: "text", default: "", description: "", required: false, options: [] };
    const variables = chosen.variable_names.map((name) => known.get(name) ?? { ...plain, name });
    fields.replaceChildren(make("h3", {}, chosen.title), ...variables.map((one) => fieldOf({ ...plain, ...one })));
    form.hidden = false;
    list.hidden = true;
    form.querySelector<HTMLElement>("textarea, select, button[type=submit]")?.focus();
  };

  const look = async () => {
    const found = await call<Found[]>(`/api/v1/prompts/records?per=20&search=${encodeURIComponent(search.value)}`);
    const rows = found.map((one) => {
      const about = make("span", { class: "quiet small" }, one.repo_path);
      const words = make("span", { class: "quiet small clamp" }, one.excerpt);
      const looks = { type: "button", class: "plain-row", "data-testid": "playground.prompt" };
      const button = make("button", looks, make("b", {}, one.title), " ", about, words);
      button.addEventListener("click", () => void choose(one.repo_path, one.file_path).catch(tellError));
      return make("li", {}, button);
    });
    list.replaceChildren(...(rows.length ? rows : [make("li", { class: "quiet" }, text("No prompt is like this."))]));
    list.hidden = false;
    form.hidden = true;
  };
  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void look().catch(tellError), WAIT_MS);
  });
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest(`[data-dialog="${dialog.id}"]`)) void look().catch(tellError);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (chosen) take(takenOf(chosen, Object.fromEntries(new FormData(form)) as Record<string, string>));
    dialog.close();
  });
  // "namespace/name/the/path": one that the address names.
  return (whole) => {
    const [namespace, name, ...rest] = whole.split("/");
    dialog.showModal();
    choose(`${namespace}/${name}`, rest.join("/")).catch(tellError);
  };
}
