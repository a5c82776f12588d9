// After something was done, the parts of the page that show it are asked for again, and the rest stays as it is.
//
//   <button data-api="…" data-refreshes="#labels, closest .reactions">   parts have hx-get and hx-trigger="refresh"
//   data-toggles: the button's own state and method turn round.
import { on } from "./dom";

function partsOf(element: HTMLElement, names: string): Element[] {
  return names
    .split(",")
    .map((name) => name.trim())
    .map((name) => (name.startsWith("closest ") ? element.closest(name.slice(8)) : document.querySelector(name)))
    .filter((part) => part !== null);
}

/** Ask for parts again: selectors with commas between, "closest …" from the element. */
export function refresh(element: HTMLElement, names: string): void {
  for (const part of partsOf(element, names)) window.htmx.trigger(part, "refresh", {});
}

document.addEventListener("hub:done", (event) => {
  const element = event.target as HTMLElement;
  if (element.dataset["toggles"] !== undefined) {
    const isOn = element.getAttribute("aria-pressed") === "true";
    element.setAttribute("aria-pressed", String(!isOn));
    element.dataset["method"] = isOn ? "POST" : "DELETE";
  }
  const names = element.dataset["refreshes"];
  // The form forgets its draft first.
  if (names) queueMicrotask(() => refresh(element, names));
  if (element instanceof HTMLFormElement && element.dataset["resets"] !== undefined) element.reset();
});

// Without a choice of one's own a form's button says what is sent with it: see forms.ts, data-name and data-value.
on("click", "[data-refresh-now]", (button) => refresh(button, button.dataset["refreshNow"] ?? ""));
