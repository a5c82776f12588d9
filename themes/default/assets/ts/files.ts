// The list of files: menus of its rows, the search for a file, files dropped onto it.
import { make, on, onEach } from "./lib/dom";
import "./lib/picked_rows";
import { startUpload } from "./lib/upload_start";

// Menus of rows are filled when they are opened: a thousand rows would carry five thousand links.

const quote = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

function fill(menu: HTMLDetailsElement): void {
  const list = menu.querySelector(".list");
  const row = menu.closest<HTMLElement>("tr");
  const body = menu.closest<HTMLElement>("tbody");
  const template = document.getElementById("row-menu");
  if (!list || list.childElementCount || !row || !body || !(template instanceof HTMLTemplateElement)) return;
  const { root = "", revision = "", commit = "" } = body.dataset;
  const path = row.dataset["path"] ?? "";
  const isFolder = row.dataset["folder"] !== undefined;
  list.append(template.content.cloneNode(true));
  for (const item of list.querySelectorAll<HTMLElement>("[data-to]")) {
    const to = item.dataset["to"] ?? "";
    if (isFolder && item.dataset["files"] !== undefined) item.remove();
    else if (item instanceof HTMLButtonElement) item.dataset["copy"] = path;
    else if (item instanceof HTMLAnchorElement) {
      const page = to === "permalink" ? (isFolder ? "files" : "blob") : to;
      const at = to === "permalink" ? commit : encodeURIComponent(revision);
      item.href = `${root}/${page}/${at}/${quote(path)}`;
      item.dataset["testid"] = `files.menu.${to}`;
    }
  }
}

onEach<HTMLDetailsElement>("details[data-row-menu]", (menu) => {
  menu.addEventListener("toggle", () => fill(menu));
});

// The search for a file: arrow keys choose, Enter opens.

onEach<HTMLDialogElement>("#finder", (dialog) => {
  const field = dialog.querySelector("input");
  const links = () => [...dialog.querySelectorAll<HTMLAnchorElement>(".found a")];
  dialog.addEventListener("keydown", (event) => {
    const all = links();
    const at = all.findIndex((link) => link.classList.contains("is-chosen"));
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = all[(at + (event.key === "ArrowDown" ? 1 : -1) + all.length) % Math.max(all.length, 1)];
      all[at]?.classList.remove("is-chosen");
      next?.classList.add("is-chosen");
      next?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && event.target === field) {
      const chosen = all[Math.max(at, 0)];
      if (!chosen) return;
      event.preventDefault();
      location.assign(chosen.href);
    }
  });
});

// Files dropped anywhere on the list go to the uploader, which takes this folder as its target.

onEach<HTMLAnchorElement>("a[data-drop]", (link) => {
  const list = document.querySelector<HTMLElement>(".files");
  if (!list) return;
  const hint = make("p", { class: "drop-hint", hidden: "" }, link.textContent?.trim() ?? "");
  list.append(hint);
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  list.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    hint.hidden = false;
  });
  list.addEventListener("dragleave", (event) => {
    if (!list.contains(event.relatedTarget as Node | null)) hint.hidden = true;
  });
  list.addEventListener("drop", (event) => {
    if (!event.dataTransfer || !hasFiles(event)) return;
    event.preventDefault();
    hint.hidden = true;
    startUpload(event.dataTransfer, link.href);
  });
});

// The address of the commit, with the lines that are chosen.
on("click", "a[data-permalink]", (link) => {
  (link as HTMLAnchorElement).hash = location.hash;
});
