// One file: lines are chosen by their numbers and stand in the address; wrapping; copying the whole.
import { on, onEach } from "./lib/dom";
import { text } from "./lib/texts";
import { tell, tellError } from "./lib/toasts";

// Lines: #L10 or #L10-L20

const HASH = /^#L(\d+)(?:-L?(\d+))?$/;

function chosen(): [number, number] | null {
  const found = HASH.exec(location.hash);
  if (!found) return null;
  const first = Number(found[1]);
  const last = Number(found[2] ?? found[1]);
  return first <= last ? [first, last] : [last, first];
}

function mark(scrolls: boolean): void {
  for (const row of document.querySelectorAll("tr.is-chosen")) row.classList.remove("is-chosen");
  const range = chosen();
  if (!range) return;
  const [first, last] = range;
  const start = document.getElementById(`L${first}`);
  if (!start) {
    // A line that is not on the page: the page that has it. One that is nowhere is asked for once.
    const address = new URL(location.href);
    if (!document.querySelector(".text-lines") || address.searchParams.get("line") === String(first)) return;
    address.searchParams.set("line", String(first));
    location.replace(address);
    return;
  }
  for (const cell of document.querySelectorAll<HTMLElement>(".text-lines [data-line]")) {
    const number = Number(cell.dataset["line"]);
    if (number >= first && number <= last) cell.parentElement?.classList.add("is-chosen");
    if (number >= last) break;
  }
  if (scrolls) start.scrollIntoView({ block: "center" });
}

on("click", ".text-lines [data-line]", (cell, event) => {
  const number = Number(cell.dataset["line"]);
  const range = chosen();
  const from = event.shiftKey && range ? range[0] : number;
  const [first, last] = from <= number ? [from, number] : [number, from];
  history.replaceState(null, "", first === last ? `#L${first}` : `#L${first}-L${last}`);
  mark(false);
});

addEventListener("hashchange", () => mark(true));
mark(true);

on("submit", "form[data-goto]", (form, event) => {
  event.preventDefault();
  const line = (form as HTMLFormElement).elements.namedItem("line") as HTMLInputElement;
  if (line.value) location.hash = `#L${line.value}`;
});

// Wrapping, as last time

const WRAPS = "hub:wraps";

function wrap(isWrapped: boolean): void {
  for (const table of document.querySelectorAll(".text-lines")) table.classList.toggle("is-wrapped", isWrapped);
  document.querySelector("[data-wrap]")?.setAttribute("aria-pressed", String(isWrapped));
}

wrap(localStorage.getItem(WRAPS) === "1");
on("click", "[data-wrap]", (button) => {
  const isWrapped = button.getAttribute("aria-pressed") !== "true";
  localStorage.setItem(WRAPS, isWrapped ? "1" : "0");
  wrap(isWrapped);
});

on("click", "[data-copy-file]", (button) => {
  fetch(button.dataset["copyFile"] ?? "")
    .then((answer) => answer.text())
    .then((words) => navigator.clipboard.writeText(words))
    .then(() => tell(text("Copied.")), tellError);
});

// Pictures say how large they are

onEach<HTMLImageElement>("img[data-dimensions]", (image) => {
  const say = () => {
    const place = image.parentElement?.querySelector("[data-dimensions-of]");
    if (place && image.naturalWidth) place.textContent = `${image.naturalWidth} × ${image.naturalHeight}`;
  };
  if (image.complete) say();
  else image.addEventListener("load", say);
});
