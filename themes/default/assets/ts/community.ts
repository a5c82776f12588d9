// Lists and threads of issues and pull requests.
import "./lib/markdown_editor";
import "./lib/bulk";
import "./lib/people";
import "./lib/refreshing";
import "./lib/saved_filters";
import "./lib/thread";
import { make, on, onEach } from "./lib/dom";

// Empty fields of a filter do not stand in the address.
on("submit", "form[data-tidy]", (form) => {
  for (const field of form.querySelectorAll<HTMLInputElement>("input, select")) if (!field.value) field.disabled = true;
  for (const field of document.querySelectorAll<HTMLInputElement>(`input[form="${form.id}"]`)) {
    if (!field.value) field.disabled = true;
  }
});

// A menu with choices asks for them when it is opened, and is searched at once.
onEach<HTMLElement>("[data-choices]", (list) => {
  const menu = list.closest("details");
  const find = list.querySelector<HTMLInputElement>("input[type=search]");
  menu?.addEventListener("toggle", () => {
    if (!menu.open || !find) return;
    window.htmx.trigger(find, "load-choices", {});
    find.focus();
  });
  find?.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
});

// What is picked for a form that is not sent yet: a chip with a box that can be unticked.

function addPicked(list: HTMLElement, name: string, words: string, color = ""): void {
  const known = [...list.querySelectorAll("input")].find((box) => box.value.toLowerCase() === words.toLowerCase());
  if (known) {
    known.checked = true;
    return;
  }
  const box = make("input", { type: "checkbox", name, value: words, "data-type": "list" });
  box.checked = true;
  const chip = make("label", { class: color ? "chip label" : "chip" }, words, box);
  if (color) chip.style.setProperty("--label", color);
  list.append(chip);
}

on("click", "[data-label]", (button) => {
  const list = document.querySelector<HTMLElement>("[data-picked=labels]");
  const name = button.dataset["label"] ?? "";
  if (!list) return;
  const isOn = button.getAttribute("aria-pressed") === "true";
  if (isOn) {
    for (const box of list.querySelectorAll("input")) if (box.value === name) box.closest("label")?.remove();
  } else addPicked(list, "labels", name, button.dataset["color"]);
  button.setAttribute("aria-pressed", String(!isOn));
});

function addFrom(field: HTMLInputElement): void {
  const list = document.querySelector<HTMLElement>(`[data-picked=${field.dataset["adds"]}]`);
  if (list && field.value.trim()) addPicked(list, field.dataset["adds"] ?? "", field.value.trim());
  field.value = "";
  field.focus();
}

on("click", "[data-add-from]", (button) => {
  const field = document.getElementById(button.dataset["addFrom"] ?? "");
  if (field instanceof HTMLInputElement) addFrom(field);
});

on("keydown", "input[data-adds]", (field, event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  addFrom(field as HTMLInputElement);
});
