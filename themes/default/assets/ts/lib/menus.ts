// Menus are <details class="menu">: they open without scripts. With them: arrow keys, Escape, a click elsewhere.
import { on, showDialog } from "./dom";

const OPEN = "details.menu[open]";

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>(OPEN)) {
    if (!menu.contains(event.target as Node)) menu.open = false;
  }
});

// How near to the window's edge a list may come.
const EDGE_PX = 8;

/** Move a menu's list sideways by what it would reach out of the window. */
function keepInside(list: HTMLElement): void {
  list.style.translate = "";
  const { left, right } = list.getBoundingClientRect();
  const last = document.documentElement.clientWidth - EDGE_PX;
  const shift = left < EDGE_PX ? EDGE_PX - left : Math.min(last - right, 0);
  if (shift) list.style.translate = `${shift}px`;
}

const keepAllInside = (): void => document.querySelectorAll<HTMLElement>(`${OPEN} > .list`).forEach(keepInside);
document.addEventListener("toggle", keepAllInside, true);
addEventListener("resize", keepAllInside);

document.addEventListener("keydown", (event) => {
  const menu = (event.target as Element | null)?.closest<HTMLDetailsElement>("details.menu");
  if (!menu) return;
  const summary = menu.querySelector("summary");
  if (event.key === "Escape" && menu.open) {
    menu.open = false;
    summary?.focus();
  }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const items = [...menu.querySelectorAll<HTMLElement>(".list :is(a, button, input)")];
  if (!items.length) return;
  event.preventDefault();
  menu.open = true;
  const step = event.key === "ArrowDown" ? 1 : -1;
  const at = items.indexOf(document.activeElement as HTMLElement);
  items[(at + step + items.length) % items.length]?.focus();
});

// A dialog in the page is opened by whatever names it.
on("click", "[data-dialog]", (button, event) => {
  const dialog = document.getElementById(button.dataset["dialog"] ?? "");
  if (!(dialog instanceof HTMLDialogElement)) return;
  event.preventDefault();
  button.closest<HTMLDetailsElement>("details.menu")?.removeAttribute("open");
  showDialog(dialog);
});

on("click", "[data-close]", (button) => button.closest("dialog")?.close());

// A click on the dark around a dialog closes it.
on("click", "dialog", (dialog, event) => {
  if (event.target === dialog && dialog.dataset["stay"] === undefined) (dialog as HTMLDialogElement).close();
});
