// What looks like a secret in what was sent: where it is, and for those who may say so that it is none.
import type { ApiError } from "./api";
import { make } from "./dom";
import { text } from "./texts";

interface Found {
  path: string;
  line: number | null;
  text: string;
}

/** Add the places to the fault that a form shows; anyway: sends it all the same, undefined for who may not. */
export function showSecrets(form: HTMLFormElement, error: ApiError, button: string, anyway?: () => void): void {
  if (error.reason !== "secrets_found") return;
  const box = form.querySelector(".form-fault > .grow");
  const list = make("ul", { class: "small", "data-testid": "secrets.found" });
  for (const { path, line, text: words } of (error.context["secrets"] as Found[] | undefined) ?? []) {
    list.append(make("li", {}, make("code", {}, line ? `${path}:${line}` : path), ` ${words}`));
  }
  box?.append(list);
  if (!anyway) {
    box?.append(
      make("p", { class: "small quiet" }, text("Who administers the repository may say that these are none.")),
    );
    return;
  }
  const send = make("button", { type: "button", class: "button danger tiny", "data-testid": "upload.secrets" }, button);
  send.addEventListener("click", anyway);
  box?.append(send);
}
