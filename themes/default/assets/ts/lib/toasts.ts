// Short messages at the edge of the page, read out by screen readers.
import { ApiError } from "./api";
import { icon, make } from "./dom";
import { text } from "./texts";

const STAYS_MS = 10_000;

function region(): HTMLElement {
  let found = document.querySelector<HTMLElement>(".toasts");
  if (!found) {
    found = make("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(found);
  }
  return found;
}

/** Show a message for ten seconds. undo: what a button beside it does. */
export function tell(message: string, undo?: () => void): void {
  show("toast", message, undo);
}

/** Show what went wrong, with its code and the request's id; it stays until it is closed. */
export function tellError(error: unknown): void {
  if (error instanceof ApiError) {
    const about = [error.code, error.traceId && `${text("Request")} ${error.traceId}`].filter(Boolean).join(" · ");
    show("toast bad", error.message, undefined, about);
  } else show("toast bad", error instanceof Error ? error.message : String(error));
}

function show(classes: string, message: string, undo?: () => void, about = ""): void {
  const words = make("div", { class: "grow" }, message);
  if (about) words.append(make("div", { class: "quiet small mono" }, about));
  const toast = make("div", { class: classes, "data-testid": "toast" }, words);
  if (undo) {
    const button = make("button", { type: "button", class: "button tiny" }, text("Undo"));
    button.addEventListener("click", () => {
      toast.remove();
      undo();
    });
    toast.append(button);
  }
  const close = make(
    "button",
    { type: "button", class: "button bare tiny square", "aria-label": text("Close") },
    icon("x"),
  );
  close.addEventListener("click", () => toast.remove());
  toast.append(close);
  region().append(toast);
  if (!classes.includes("bad")) setTimeout(() => toast.remove(), STAYS_MS);
}

const NEXT_PAGE = "hub:toast";

/** Show a message on the page that is loaded next. */
export function tellNext(message: string): void {
  sessionStorage.setItem(NEXT_PAGE, message);
}

const left = sessionStorage.getItem(NEXT_PAGE);
if (left) {
  sessionStorage.removeItem(NEXT_PAGE);
  tell(left);
}
