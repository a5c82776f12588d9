// What the API found wrong with a form, at the field that it names or above the form.
import type { ApiError } from "./api";
import { make } from "./dom";
import { text } from "./texts";

/** Show a fault; the ones shown before go. */
export function showFault(form: HTMLFormElement, error: ApiError): void {
  for (const old of form.querySelectorAll(".fault, .form-fault")) old.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  const member = error.context["member"];
  const field = typeof member === "string" ? form.elements.namedItem(member === "message" ? "title" : member) : null;
  if (field instanceof HTMLElement) {
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }
  const about = [error.code, error.traceId].filter(Boolean).join(" · ");
  const words = make("div", { class: "grow" }, error.message, make("div", { class: "quiet small mono" }, about));
  const box = make("div", { class: "callout bad form-fault", role: "alert", "data-testid": "form.fault" }, words);
  if (error.status === 401) {
    // What was typed stays here: one signs in elsewhere and sends it again.
    const link = { href: "/login", target: "_blank", class: "button tiny" };
    box.append(make("a", link, text("Sign in in a new window")));
  }
  form.prepend(box);
  box.scrollIntoView({ block: "nearest" });
}
