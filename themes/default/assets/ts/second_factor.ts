// The second factor: the secret as a picture and as text, then the recovery codes, shown once.
import { on } from "./lib/dom";

interface Begun {
  secret: string;
  qr: string;
}

function dialogOf(element: HTMLElement, name: string): HTMLDialogElement | null {
  return document.getElementById(element.dataset[name] ?? "") as HTMLDialogElement | null;
}

// A data-factor-begin button has asked for a secret; a data-factor-codes form was given recovery codes.
document.addEventListener("hub:done", (event) => {
  const element = event.target as HTMLElement;
  const answer = (event as CustomEvent<unknown>).detail;
  const setUp = dialogOf(element, "factorBegin");
  if (setUp) showSecret(setUp, answer as Begun);
  const codes = dialogOf(element, "factorCodes");
  if (codes) {
    element.closest("dialog")?.close();
    showCodes(codes, (answer as { recovery_codes: string[] }).recovery_codes);
  }
});

function showSecret(dialog: HTMLDialogElement, { secret, qr }: Begun): void {
  dialog.querySelector<HTMLImageElement>("[data-factor=qr]")?.setAttribute("src", qr);
  const place = dialog.querySelector("[data-factor=secret]");
  if (place) place.textContent = secret.replace(/(.{4})(?=.)/g, "$1 ");
  dialog.showModal();
  dialog.querySelector<HTMLInputElement>("input[name=code]")?.focus();
}

function showCodes(dialog: HTMLDialogElement, codes: string[]): void {
  const place = dialog.querySelector("code");
  if (place) place.textContent = codes.join("\n");
  const file = URL.createObjectURL(new Blob([`${codes.join("\n")}\n`], { type: "text/plain" }));
  dialog.querySelector<HTMLAnchorElement>("[data-factor-download]")?.setAttribute("href", file);
  dialog.showModal();
  dialog.addEventListener("close", () => {
    const { factorNext } = dialog.dataset;
    if (factorNext) location.assign(factorNext);
    else location.reload();
  });
}

// Codes are copied by hand from a phone with a space in their middle.
on("input", "input[name=code][inputmode=numeric]", (field) => {
  const input = field as HTMLInputElement;
  const plain = input.value.replace(/\s/g, "");
  if (plain !== input.value) input.value = plain;
});
