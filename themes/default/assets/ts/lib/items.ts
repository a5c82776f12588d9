// A list of small objects as rows of a form: <fieldset data-list="NAME"> with [data-items], buttons [data-add], and a
// hidden <textarea name="NAME"> that holds it as JSON. A row is a copy of <template id="item-NAME">; its fields say by
// data-key which member they are. data-words: of several texts with commas between them.

type Item = Record<string, unknown>;
type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

const keyed = (row: HTMLElement) => [...row.querySelectorAll<Field>("[data-key]")];

function readRow(row: HTMLElement): Item {
  const item: Item = {};
  for (const field of keyed(row)) {
    const key = field.dataset["key"] ?? "";
    if (field instanceof HTMLInputElement && field.type === "checkbox") item[key] = field.checked;
    else if (field.dataset["words"] !== undefined) {
      const words = field.value.split(",").map((word) => word.trim());
      item[key] = words.filter(Boolean);
    } else item[key] = field.value;
  }
  return item;
}

function fillRow(row: HTMLElement, item: Item): void {
  for (const field of keyed(row)) {
    const value = item[field.dataset["key"] ?? ""];
    if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = Boolean(value);
    else if (Array.isArray(value)) field.value = value.join(", ");
    else if (value !== undefined) field.value = String(value);
  }
  adapt(row);
}

/** Choices are asked for only of what is chosen from some. */
function adapt(row: HTMLElement): void {
  const options = row.querySelector<HTMLElement>("[data-options]");
  if (options) options.hidden = row.querySelector<HTMLSelectElement>("[data-key=type]")?.value !== "enum";
}

export class ItemList {
  readonly #kept: HTMLTextAreaElement;
  readonly #rows: HTMLElement;
  readonly #template: HTMLTemplateElement;

  constructor(place: HTMLFieldSetElement) {
    const name = place.dataset["list"] ?? "";
    this.#kept = place.querySelector<HTMLTextAreaElement>(`[name="${name}"]`) as HTMLTextAreaElement;
    this.#rows = place.querySelector<HTMLElement>("[data-items]") as HTMLElement;
    this.#template = document.getElementById(`item-${name}`) as HTMLTemplateElement;
    for (const item of JSON.parse(this.#kept.value || "[]") as Item[]) this.#append(item);
    // Before the form hears of it, which keeps drafts.
    this.#rows.addEventListener("input", (event) => this.#keep(event.target as HTMLElement));
    this.#rows.addEventListener("change", (event) => this.#keep(event.target as HTMLElement));
    for (const button of place.querySelectorAll<HTMLElement>("[data-add]")) {
      button.addEventListener("click", () => this.add(button.dataset["add"] ? { role: button.dataset["add"] } : {}));
    }
  }

  /** The objects as they are typed now. */
  read<T>(): T[] {
    return JSON.parse(this.#kept.value || "[]") as T[];
  }

  /** Put one at the end and go to it. */
  add(item: Item): void {
    const row = this.#append(item);
    this.#changed();
    const empty = keyed(row).find((field) => !field.value && !field.closest("[hidden]"));
    (empty ?? keyed(row)[0])?.focus();
  }

  #append(item: Item): HTMLElement {
    const row = (this.#template.content.cloneNode(true) as DocumentFragment).firstElementChild as HTMLElement;
    fillRow(row, item);
    row.querySelector("[data-remove]")?.addEventListener("click", () => {
      const next = (row.nextElementSibling ?? row.previousElementSibling) as HTMLElement | null;
      row.remove();
      this.#changed();
      next?.querySelector<HTMLElement>("[data-key]")?.focus();
    });
    row.querySelector<HTMLElement>("[data-move]")?.addEventListener("click", (event) => {
      row.previousElementSibling?.before(row);
      this.#changed();
      (event.currentTarget as HTMLElement).focus();
    });
    this.#rows.append(row);
    return row;
  }

  #keep(field: HTMLElement): void {
    const row = field.closest<HTMLElement>(".item");
    if (row) adapt(row);
    this.#store();
  }

  #store(): void {
    this.#kept.value = JSON.stringify([...this.#rows.children].map((row) => readRow(row as HTMLElement)));
  }

  #changed(): void {
    this.#store();
    this.#kept.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
