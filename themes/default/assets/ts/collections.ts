// Collections: what is in one is put into order by keys or by dragging, and taken out with a way back.
import { call } from "./lib/api";
import { on, onEach } from "./lib/dom";
import { text } from "./lib/texts";
import { tell, tellError } from "./lib/toasts";

const list = document.querySelector<HTMLOListElement>("[data-sortable]");
const api = list?.dataset["sortable"] ?? "";
const items = (): HTMLElement[] => [...(list?.querySelectorAll<HTMLElement>(".item") ?? [])];
const spoken = document.createElement("p");
spoken.className = "unseen";
spoken.setAttribute("role", "status");
list?.before(spoken);

/** The places belong to the slots, not to what is in them: what is not shown has its own. */
const places = items().map((item) => Number(item.dataset["place"]));

function refresh(): void {
  const all = items();
  for (const [at, item] of all.entries()) {
    item.dataset["place"] = String(places[at]);
    for (const [direction, end] of [
      ["up", 0],
      ["down", all.length - 1],
    ] as const) {
      const button = item.querySelector<HTMLButtonElement>(`[data-move=${direction}]`);
      if (button) button.disabled = at === end;
    }
  }
}

/** Put an item where another stands, here and on the hub; back again where the hub refuses. */
async function move(item: HTMLElement, at: number): Promise<void> {
  const all = items();
  const from = all.indexOf(item);
  const target = all[at];
  if (!target || from === at) return;
  if (from < at) target.after(item);
  else target.before(item);
  refresh();
  spoken.textContent = text("Moved to place {place} of {total}.", { place: at + 1, total: all.length });
  try {
    await call(`${api}/repos/${item.dataset["id"]}`, { method: "PUT", body: { position: places[at] } });
  } catch (error) {
    const before = items().filter((other) => other !== item)[from];
    if (before) before.before(item);
    else list?.append(item);
    refresh();
    tellError(error);
  }
}

on("click", "[data-move]", (button) => {
  const item = button.closest<HTMLElement>(".item");
  if (!item) return;
  const step = button.dataset["move"] === "up" ? -1 : 1;
  void move(item, items().indexOf(item) + step);
  // At an end the button cannot be used any more: its neighbour goes on.
  if ((button as HTMLButtonElement).disabled) {
    item.querySelector<HTMLButtonElement>(`[data-move=${step < 0 ? "down" : "up"}]`)?.focus();
  } else button.focus();
});

let dragged: HTMLElement | null = null;
on("dragstart", ".item[draggable]", (item, event) => {
  dragged = item;
  item.classList.add("dragged");
  event.dataTransfer?.setData("text/plain", item.dataset["id"] ?? "");
});
on("dragover", ".item[draggable]", (item, event) => {
  if (!dragged) return;
  event.preventDefault();
  for (const other of items()) other.classList.toggle("target", other === item && item !== dragged);
});
on("drop", ".item[draggable]", (item, event) => {
  event.preventDefault();
  if (dragged) void move(dragged, items().indexOf(item));
});
on("dragend", ".item[draggable]", () => {
  dragged = null;
  for (const other of items()) other.classList.remove("dragged", "target");
});

on("click", "[data-remove]", (button) => {
  const item = button.closest<HTMLElement>(".item");
  if (!item) return;
  const id = Number(item.dataset["id"]);
  const remark = item.querySelector(".remark")?.textContent ?? "";
  const position = Number(item.dataset["place"]);
  const back = async () => {
    const remarks = remark ? { [id]: remark } : {};
    await call(`${api}/repos`, { method: "POST", body: { repo_ids: [id], remarks } });
    await call(`${api}/repos/${id}`, { method: "PUT", body: { position } });
    location.reload();
  };
  call(`${api}/repos`, { method: "DELETE", body: { repo_ids: [id] } }).then(() => {
    const next = (item.nextElementSibling ?? item.previousElementSibling)?.querySelector<HTMLElement>("[data-remove]");
    item.remove();
    next?.focus();
    for (const other of items()) {
      const place = Number(other.dataset["place"]);
      if (place > position) other.dataset["place"] = String(place - 1);
    }
    places.splice(0, places.length, ...items().map((other) => Number(other.dataset["place"])));
    refresh();
    tell(text("Removed from the collection."), () => void back().catch(tellError));
  }, tellError);
});

on("click", "[data-copy-address]", () => {
  navigator.clipboard.writeText(location.origin + location.pathname).then(
    () => tell(text("Copied.")),
    () => tell(text("This browser does not let the page copy. Mark the text and copy it yourself.")),
  );
});

// A collection's name is its title, unless somebody says otherwise by the API.
onEach<HTMLFormElement>("form[data-named-by]", (form) => {
  const title = form.elements.namedItem(form.dataset["namedBy"] ?? "") as HTMLInputElement | null;
  const name = form.elements.namedItem("name") as HTMLInputElement | null;
  const follow = () => {
    if (title && name) name.value = title.value;
  };
  title?.addEventListener("input", follow);
  form.addEventListener("submit", follow, true);
  follow();
});
