// Filters of a list that somebody keeps for themselves: by name, in this browser, for the list's address.
import { make, on, onEach } from "./dom";
import { text } from "./texts";

const MOST = 20;
const name = (): string => `hub:filters:${location.pathname}`;

function kept(): Record<string, string> {
  try {
    return JSON.parse(localStorage.getItem(name()) ?? "{}") as Record<string, string>;
  } catch {
    return {};
  }
}

function draw(list: HTMLElement): void {
  const rows = Object.entries(kept()).map(([title, query]) => {
    const drop = make(
      "button",
      { type: "button", class: "button bare tiny", "data-drop-filter": title },
      text("Remove"),
    );
    return make(
      "div",
      { class: "row" },
      make("a", { href: `${location.pathname}${query}`, class: "grow" }, title),
      drop,
    );
  });
  list.replaceChildren(...rows);
}

onEach<HTMLElement>("[data-saved-filters]", draw);

const list = (): HTMLElement | null => document.querySelector("[data-saved-filters]");

on("click", "[data-save-filter]", (button) => {
  const field = document.getElementById(button.dataset["saveFilter"] ?? "");
  if (!(field instanceof HTMLInputElement) || !field.value.trim()) return;
  const all = Object.entries({ ...kept(), [field.value.trim()]: location.search }).slice(-MOST);
  localStorage.setItem(name(), JSON.stringify(Object.fromEntries(all)));
  field.value = "";
  const shown = list();
  if (shown) draw(shown);
});

on("click", "[data-drop-filter]", (button) => {
  const { [button.dataset["dropFilter"] ?? ""]: _, ...rest } = kept();
  localStorage.setItem(name(), JSON.stringify(rest));
  const shown = list();
  if (shown) draw(shown);
});
