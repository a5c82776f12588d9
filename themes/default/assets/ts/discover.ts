// Lists and searches: forms that narrow them keep what the address says already, and leave out what is empty. The two
// handles of a span write into its two fields.
import { on, onEach } from "./lib/dom";
import { text } from "./lib/texts";
import { tellError } from "./lib/toasts";

interface Config {
  elt: HTMLElement;
  parameters: Record<string, string>;
}

document.addEventListener("htmx:configRequest", (event) => {
  const { elt, parameters } = (event as CustomEvent<Config>).detail;
  const form = elt.closest<HTMLFormElement>("form[data-filters]");
  if (!form) return;
  const said: Record<string, string> = {};
  for (const field of Array.from(form.elements) as HTMLInputElement[]) {
    if (field.name && field.type !== "hidden") said[field.name] = field.value.trim();
  }
  const asked = new URLSearchParams(location.search);
  asked.delete("page");
  for (const name of Object.keys(parameters)) delete parameters[name];
  for (const [name, value] of Object.entries({ ...Object.fromEntries(asked), ...said })) {
    if (value) parameters[name] = value;
  }
});

// What cannot be listed says so in the list's place; where not even that comes, what stood there stays.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { detail } = event as CustomEvent<{ target: Element; xhr: XMLHttpRequest; shouldSwap: boolean }>;
  if (detail.target.id === "listing" && detail.xhr.responseText.includes('data-testid="list.fault"')) {
    detail.shouldSwap = true;
  }
});
document.addEventListener("htmx:sendError", () => {
  tellError(new Error(text("The hub cannot be reached. Check the connection and try again.")));
});

// Cards or a table: as it was chosen last.
on("click", "[data-view]", (link) => {
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not everywhere.
  document.cookie = `list_view=${link.dataset["view"]}; path=/; max-age=31536000; samesite=lax`;
});

onEach("[data-range]", (range) => {
  const [low, high] = Array.from(range.querySelectorAll<HTMLInputElement>("[data-side]"));
  const [least, most] = Array.from(range.querySelectorAll<HTMLSelectElement>("select"));
  const track = range.querySelector<HTMLElement>(".handles");
  const told = range.querySelector("output");
  if (!low || !high || !least || !most || !track || !told) return;
  const last = Number(high.max);
  const any = least.dataset["any"] ?? "";
  range.addEventListener("input", (event) => {
    // Neither handle passes the other.
    if (event.target === low) low.value = String(Math.min(Number(low.value), Number(high.value) - 1));
    else if (event.target === high) high.value = String(Math.max(Number(high.value), Number(low.value) + 1));
    else return;
    least.selectedIndex = Number(low.value);
    most.selectedIndex = Number(high.value) % last;
    track.style.setProperty("--low", low.value);
    track.style.setProperty("--high", high.value);
    low.setAttribute("aria-valuetext", least.value ? `${least.value} B` : any);
    high.setAttribute("aria-valuetext", most.value ? `${most.value} B` : any);
    if (least.value && most.value) told.textContent = `${least.value}–${most.value} B`;
    else if (least.value) told.textContent = `> ${least.value} B`;
    else told.textContent = most.value ? `< ${most.value} B` : "";
  });
});
