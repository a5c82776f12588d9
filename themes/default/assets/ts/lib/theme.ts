// The theme is changed without loading the page again.
import { on } from "./dom";

on("click", "button[name=theme]", (button, event) => {
  event.preventDefault();
  const choice = (button as HTMLButtonElement).value;
  document.documentElement.dataset["theme"] = choice;
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not everywhere.
  document.cookie = `theme=${choice}; path=/; max-age=31536000; samesite=lax`;
  button.closest<HTMLDetailsElement>("details.menu")?.removeAttribute("open");
  document.dispatchEvent(new CustomEvent("hub:theme", { detail: choice }));
});
