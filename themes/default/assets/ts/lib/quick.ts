// The box of the bar finds while somebody types: arrows choose, Enter opens, Ctrl+Enter leads to all that is found.
const input = document.querySelector<HTMLInputElement>("[data-quick] input");
const box = document.getElementById("quick");

const options = (): HTMLElement[] => [...(box?.querySelectorAll<HTMLElement>("[role=option]") ?? [])];

// Where the chosen one leads: it stays chosen when what is found is written anew.
let chosen: string | null = null;

function choose(option: HTMLElement | undefined): void {
  chosen = option?.getAttribute("href") ?? null;
  for (const other of options()) other.setAttribute("aria-selected", String(other === option));
  if (option) {
    input?.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  } else input?.removeAttribute("aria-activedescendant");
}

function show(isOpen: boolean): void {
  if (!input || !box) return;
  box.hidden = !isOpen;
  input.setAttribute("aria-expanded", String(isOpen));
  if (!isOpen) choose(undefined);
}

if (input && box) {
  // What was found for other words is no answer to these.
  let foundFor = "";
  box.addEventListener("htmx:afterSwap", () => {
    foundFor = box.querySelector<HTMLElement>("[data-for]")?.dataset["for"] ?? "";
    show(document.activeElement === input && box.childElementCount > 0);
    choose(options().find((option) => option.getAttribute("href") === chosen));
  });
  input.addEventListener("focus", () => show(box.childElementCount > 0 && input.value.trim() === foundFor));
  input.addEventListener("blur", (event) => {
    if (!box.contains(event.relatedTarget as Node | null)) show(false);
  });
  // The box keeps the focus in the field while a mouse chooses.
  box.addEventListener("mousedown", (event) => event.preventDefault());
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !box.hidden) {
      event.preventDefault();
      show(false);
    }
    const all = options();
    const at = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      const option = all[Math.max(at, 0)];
      if (box.hidden || !option || input.value.trim() !== foundFor) return;
      event.preventDefault();
      option.click();
    }
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && all.length) {
      event.preventDefault();
      show(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      choose(all[at < 0 && step < 0 ? all.length - 1 : (at + step + all.length) % all.length]);
    }
  });
}
