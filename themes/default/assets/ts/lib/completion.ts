// Completion of @people and #discussions in a Markdown field, from the REST routes of its repository.
import { call } from "./api";
import { make } from "./dom";
import { replaceMarked } from "./text_edits";

interface Person {
  name: string;
  nickname: string;
}
interface Thread {
  number: number;
  title: string;
}
interface Choice {
  word: string;
  label: string;
}

const WAIT_MS = 120;
const STARTED = /(?:^|[\s([{])([@#])([\w.-]{0,64})$/;

async function find(api: string, sign: string, beginning: string, signal: AbortSignal): Promise<Choice[]> {
  const query = `q=${encodeURIComponent(beginning)}`;
  if (sign === "@") {
    const people = await call<Person[]>(`${api}/community/people?${query}`, { signal });
    return people.map(({ name, nickname }) => ({
      word: `@${name} `,
      label: nickname ? `${name} · ${nickname}` : name,
    }));
  }
  const threads = await call<Thread[]>(`${api}/community/references?${query}`, { signal });
  return threads.map(({ number, title }) => ({ word: `#${number} `, label: `#${number} ${title}` }));
}

/** Where the cursor stands in the field, in pixels: measured on a copy of its text. */
function placeOf(field: HTMLTextAreaElement): { left: number; top: number } {
  const style = getComputedStyle(field);
  const copy = make("div", {}, field.value.slice(0, field.selectionStart));
  for (const name of ["font", "padding", "border", "letter-spacing", "line-height", "width", "box-sizing"]) {
    copy.style.setProperty(name, style.getPropertyValue(name));
  }
  copy.style.cssText += ";position:absolute;visibility:hidden;white-space:pre-wrap;overflow-wrap:break-word";
  const end = make("span", {}, "|");
  copy.append(end);
  document.body.append(copy);
  const place = { left: end.offsetLeft, top: end.offsetTop + end.offsetHeight - field.scrollTop };
  copy.remove();
  return place;
}

/** Offer completions in a field of an editor that says where they come from (data-complete). */
export function startCompleting(editor: HTMLElement, field: HTMLTextAreaElement): void {
  const api = editor.dataset["complete"];
  if (!api) return;
  const id = `${field.id}-completions`;
  const list = make("ul", { class: "completions", id, role: "listbox", "aria-label": field.ariaLabel ?? "" });
  list.hidden = true;
  field.after(list);
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", id);
  let asked = new AbortController();
  let timer = 0;
  let chosen = 0;
  let choices: Choice[] = [];

  const close = (): void => {
    asked.abort();
    list.hidden = true;
    field.removeAttribute("aria-activedescendant");
  };
  const mark = (place: number): void => {
    chosen = (place + choices.length) % choices.length;
    for (const [at, item] of [...list.children].entries()) item.setAttribute("aria-selected", String(at === chosen));
    field.setAttribute("aria-activedescendant", `${id}-${chosen}`);
  };
  const take = (place: number): void => {
    const found = STARTED.exec(field.value.slice(0, field.selectionStart));
    const choice = choices[place];
    close();
    if (!found || !choice) return;
    field.setSelectionRange(field.selectionStart - (found[2] ?? "").length - 1, field.selectionStart);
    replaceMarked(field, choice.word);
  };
  const show = (): void => {
    if (!choices.length) {
      close();
      return;
    }
    list.replaceChildren(
      ...choices.map(({ label }, place) => {
        const item = make("li", { role: "option", id: `${id}-${place}` }, label);
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          take(place);
        });
        return item;
      }),
    );
    const { left, top } = placeOf(field);
    const room = field.clientWidth - 220;
    list.style.left = `${Math.max(0, Math.min(left, room))}px`;
    list.style.top = `${field.offsetTop + top + 2}px`;
    list.hidden = false;
    mark(0);
  };
  const look = async (): Promise<void> => {
    const found = STARTED.exec(field.value.slice(0, field.selectionStart));
    if (!found || field.selectionStart !== field.selectionEnd) return close();
    asked.abort();
    asked = new AbortController();
    try {
      choices = await find(api, found[1] ?? "", found[2] ?? "", asked.signal);
      show();
    } catch {
      list.hidden = true; // One goes on typing without.
    }
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void look(), WAIT_MS);
  });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing) return;
    if (event.key === "ArrowDown") mark(chosen + 1);
    else if (event.key === "ArrowUp") mark(chosen - 1);
    else if ((event.key === "Enter" && !event.ctrlKey && !event.metaKey) || event.key === "Tab") take(chosen);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
