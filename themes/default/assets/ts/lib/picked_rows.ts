// Rows of the list of files that are chosen: all of them are downloaded, moved or deleted at once.
import { ApiError, call } from "./api";
import { quotePath } from "./bytes";
import { make, on, onEach } from "./dom";
import { showFault } from "./faults";
import { text } from "./texts";
import { tell, tellNext } from "./toasts";

/** What a server takes of an address is a little more. */
const MAX_ADDRESS = 3500;
/** Of one commit. */
const MAX_CHANGES = 1000;
const MAX_NAMES_SHOWN = 20;

interface Landed {
  branch: string;
  pull_number: number | null;
  url: string;
}

const bar = () => document.querySelector<HTMLElement>("[data-picked]");
const boxes = () => [...document.querySelectorAll<HTMLInputElement>("[data-pick]")];
const rowOf = (box: HTMLInputElement) => box.closest<HTMLElement>("tr");
const chosen = () => boxes().filter((box) => box.checked);
const pathOf = (box: HTMLInputElement) => rowOf(box)?.dataset["path"] ?? "";
const isFolder = (box: HTMLInputElement) => rowOf(box)?.dataset["folder"] !== undefined;
const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

let last: HTMLInputElement | undefined;

function show(): void {
  const [all, picked] = [boxes(), chosen()];
  const count = bar()?.querySelector("[data-picked-count]");
  if (count) {
    const none = ((count as HTMLElement).dataset["none"] ??= count.textContent ?? "");
    count.textContent = picked.length ? text("{count} chosen", { count: picked.length }) : none;
  }
  bar()?.querySelector("[data-picked-actions]")?.toggleAttribute("hidden", !picked.length);
  const every = bar()?.querySelector<HTMLInputElement>("[data-pick-all]");
  if (every) {
    every.checked = picked.length > 0 && picked.length === all.length;
    every.indeterminate = picked.length > 0 && !every.checked;
  }
  for (const box of all) rowOf(box)?.classList.toggle("is-chosen", box.checked);
}

function set(some: HTMLInputElement[], isChosen: boolean): void {
  for (const box of some) box.checked = isChosen;
  show();
}

on("click", "[data-pick]", (box, event) => {
  if (!(box instanceof HTMLInputElement)) return;
  const all = boxes();
  // With Shift, all between the one before and this one.
  if ((event as MouseEvent).shiftKey && last?.isConnected) {
    const ends = [all.indexOf(last), all.indexOf(box)];
    set(all.slice(Math.min(...ends), Math.max(...ends) + 1), box.checked);
  }
  last = box;
  show();
});
on("change", "[data-pick-all]", (box) => set(boxes(), (box as HTMLInputElement).checked));
on("click", "[data-picked-none]", () => {
  set(boxes(), false);
  bar()?.querySelector<HTMLElement>("[data-pick-all]")?.focus();
});
// A browser that comes back keeps what was ticked.
onEach<HTMLElement>("[data-picked]", show);

on("click", "[data-picked-zip]", () => {
  const { zip = "", folder = "", partial } = bar()?.dataset ?? {};
  const picked = chosen();
  const query = new URLSearchParams(folder ? { folder } : {});
  // All of the folder needs no names, so it may be of any length.
  const isAll = partial === undefined && picked.length === boxes().length;
  if (!isAll) for (const box of picked) query.append("name", nameOf(pathOf(box)));
  const address = `${zip}?${query}`;
  if (address.length > MAX_ADDRESS)
    tell(text("These are too many for one download: choose fewer, or all of the folder."));
  else location.assign(address);
});

// Moving and deleting: one commit, through one form.

class PickedForm {
  private action: "move" | "delete" = "delete";
  private key = crypto.randomUUID();

  constructor(
    private readonly dialog: HTMLDialogElement,
    private readonly form: HTMLFormElement,
  ) {
    on("click", "[data-picked-action]", (button) => {
      this.open(button.dataset["pickedAction"] as "move" | "delete");
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.send();
    });
  }

  private get button(): HTMLButtonElement | null {
    return this.form.querySelector<HTMLButtonElement>("button:not([type=button])");
  }

  private field(name: string): HTMLInputElement | null {
    return this.form.querySelector<HTMLInputElement>(`[name=${name}]`);
  }

  private open(action: "move" | "delete"): void {
    const paths = chosen().map(pathOf);
    if (paths.length > MAX_CHANGES) {
      tell(text("One commit changes at most {count} files and folders: choose fewer.", { count: MAX_CHANGES }));
      return;
    }
    this.action = action;
    for (const part of this.form.querySelectorAll<HTMLElement>("[data-for]"))
      part.hidden = part.dataset["for"] !== action;
    for (const old of this.form.querySelectorAll(".form-fault")) old.remove();
    const said = this.dialog.dataset;
    const title = this.dialog.querySelector("h2");
    if (title) title.textContent = said[`${action}Title`] ?? "";
    const shown = paths.slice(0, MAX_NAMES_SHOWN).map((path) => make("li", {}, make("code", {}, path)));
    if (paths.length > shown.length) {
      shown.push(
        make("li", { class: "quiet" }, text("and {count} more files", { count: paths.length - shown.length })),
      );
    }
    this.form.querySelector("[data-picked-names]")?.replaceChildren(...shown);
    const words =
      action === "delete"
        ? text("Delete {count} files and folders", { count: paths.length })
        : text("Move {count} files and folders", { count: paths.length });
    this.field("title")?.setAttribute("placeholder", words);
    const folder = this.field("path");
    if (folder && !folder.value) folder.value = this.form.dataset["folder"] ?? "";
    const { button } = this;
    if (button) {
      button.dataset["proposal"] ??= this.field("target")?.type === "hidden" ? (button.textContent ?? "") : "";
      button.textContent = button.dataset["proposal"] || (said[`${action}Button`] ?? "");
      button.classList.toggle("danger", action === "delete");
      button.classList.toggle("primary", action === "move");
    }
    this.dialog.showModal();
    (action === "move" ? folder : this.field("title"))?.focus();
  }

  private files(): Record<string, unknown>[] {
    const target = (this.field("path")?.value ?? "").replace(/^[/\s]+|[/\s]+$/g, "");
    return chosen().map((box) => {
      const path = pathOf(box);
      if (this.action === "delete") return { path, action: isFolder(box) ? "delete_dir" : "delete", sha: null };
      return { path: target ? `${target}/${nameOf(path)}` : nameOf(path), action: "move", source: path, sha: null };
    });
  }

  private async send(): Promise<void> {
    const values = new FormData(this.form);
    const { repo = "", url = "", branch = "", commit = "" } = this.form.dataset;
    const target = values.get("target");
    const title = String(values.get("title") ?? "").trim() || this.field("title")?.placeholder;
    const description = String(values.get("description") ?? "").trim();
    const files = this.files();
    const body = {
      message: [title, description].filter(Boolean).join("\n\n"),
      branch,
      new_branch: target === "pull" ? String(values.get("new_branch") ?? "").trim() : "",
      create_pr: target !== "branch",
      // What was chosen is what was seen: when the branch has moved since, one looks again.
      parent: commit,
      files,
    };
    this.busy(true);
    try {
      const landed = await call<Landed>(`${repo}/changes`, { method: "POST", body, key: this.key });
      tellNext(landed.pull_number ? text("A pull request was opened.") : text("Committed."));
      const folder = this.action === "move" ? String(files[0]?.["path"] ?? "") : (this.form.dataset["folder"] ?? "");
      const place = this.action === "move" ? folder.slice(0, Math.max(folder.lastIndexOf("/"), 0)) : folder;
      if (landed.pull_number) location.assign(landed.url);
      else location.assign(`${url}/files/${encodeURIComponent(landed.branch)}${place && `/${quotePath(place)}`}`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // What may have arrived is sent again as the same.
      if (error.status !== 0) this.key = crypto.randomUUID();
      showFault(this.form, error);
      this.busy(false);
    }
  }

  private busy(isBusy: boolean): void {
    if (this.button) this.button.disabled = isBusy;
    const told = this.form.querySelector("[data-picked-busy]");
    if (told) told.textContent = isBusy ? text("The files are committed …") : "";
  }
}

onEach<HTMLDialogElement>("#picked-dialog", (dialog) => {
  const form = dialog.querySelector("form");
  if (form) new PickedForm(dialog, form);
});
