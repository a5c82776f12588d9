// Buttons that do and undo, such as "Like": data-toggle beside data-api, with data-method for what comes next. A
// [data-count] beside it counts along.
import { callWhole } from "./api";
import { on } from "./dom";
import { text } from "./texts";
import { tell } from "./toasts";

function flip(button: HTMLElement, isOn: boolean): void {
  button.setAttribute("aria-pressed", String(isOn));
  button.dataset["method"] = isOn ? "DELETE" : "PUT";
  const count = button.parentElement?.querySelector<HTMLElement>("[data-count]");
  // Short counts ("1.2K") stay as they are.
  if (count && /^\d+$/.test(count.textContent?.trim() ?? "")) {
    count.textContent = String(Math.max(Number(count.textContent) + (isOn ? 1 : -1), 0));
  }
}

on("hub:done" as keyof DocumentEventMap, "[data-toggle]", (button) => {
  const isOn = button.dataset["method"] === "PUT";
  flip(button, isOn);
  if (isOn) return;
  tell(text("Taken back."), () => {
    void callWhole(button.dataset["api"] ?? "", { method: "PUT" }).then(() => flip(button, true));
  });
});
