// The uploader as it is seen: files and how far they are, what goes wrong, the commit at the end.
import { ApiError } from "../api";
import { icon, make } from "../dom";
import { showFault } from "../faults";
import { showSecrets } from "../secrets";
import { language, text } from "../texts";
import { tellNext } from "../toasts";
import { portionsOf } from "./committing";
import { type Landed, Overlap, Upload, type Wishes } from "./engine";
import type { Item } from "./item";
import { Dropped, fromFiles, fromHandles, type Picked } from "./picked";
import { duration, sizeOf } from "./words";

/** Rows that are drawn; of more files only those that failed are. */
const MAX_ROWS = 1000;
const SPOKEN_EVERY_MS = 5000;

interface Row {
  element: HTMLElement;
  state: HTMLElement;
  bar: HTMLProgressElement;
  retry: HTMLButtonElement;
  remove: HTMLButtonElement;
}

export class Panel {
  private readonly upload: Upload;
  private readonly rows = new Map<Item, Row>();
  private readonly changed = new Set<Item>();
  private readonly title = document.title;
  private drawing = 0;
  private shown = 0;
  private spokenAt = 0;
  private allowsSecrets = false;

  constructor(private readonly root: HTMLElement) {
    const said = root.dataset;
    this.upload = new Upload(
      {
        api: said["repo"] ?? "",
        branch: said["branch"] ?? "",
        folder: said["folder"] ?? "",
        canWrite: said["canWrite"] !== undefined,
        worker: said["worker"] ?? "",
        root: said["url"] ?? "",
        viewer: said["viewer"] ?? "",
      },
      (item) => this.note(item),
    );
    this.listen();
    void this.offerLeft();
    root.dataset["ready"] = "";
  }

  /** Take in files, as if they had been chosen here. */
  add(picked: Picked[], handles: FileSystemHandle[] = []): Promise<void> {
    return this.upload.add(picked, handles).catch((error) => this.fail(error));
  }

  close(): void {
    this.upload.close();
    document.title = this.title;
  }

  private part<E extends HTMLElement>(name: string): E {
    const found = this.root.querySelector<E>(`[data-part="${name}"]`);
    if (!found) throw new Error(name);
    return found;
  }

  private get form(): HTMLFormElement {
    return this.part<HTMLFormElement>("form");
  }

  private listen(): void {
    for (const chooser of this.root.querySelectorAll<HTMLInputElement>("input[type=file]")) {
      chooser.addEventListener("change", () => {
        const picked = fromFiles(chooser.files ?? []);
        void this.add(picked);
        chooser.value = "";
      });
    }
    const zone = this.part("drop");
    for (const kind of ["dragenter", "dragover", "dragleave", "drop"] as const) {
      this.root.addEventListener(kind, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        zone.classList.toggle("over", kind === "dragenter" || kind === "dragover");
        if (kind === "drop") void this.take(new Dropped(event.dataTransfer));
      });
    }
    document.addEventListener("paste", (event) => {
      if (!this.root.isConnected || !event.clipboardData?.files.length) return;
      event.preventDefault();
      void this.take(new Dropped(event.clipboardData));
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.run();
    });
    this.part("pause").addEventListener("click", () => this.upload.pause());
    this.part("retry").addEventListener("click", () => void this.run());
    window.addEventListener("beforeunload", (event) => {
      if (this.root.isConnected && this.upload.isBusy) event.preventDefault();
    });
    window.addEventListener("offline", () => this.draw());
    window.addEventListener("online", () => this.draw());
  }

  private async take(dropped: Dropped): Promise<void> {
    const handles = dropped.keepers();
    await this.add(await dropped.files(), await handles);
  }

  private async offerLeft(): Promise<void> {
    const left = await this.upload.left();
    if (!left) return;
    const box = this.part("left");
    const words = this.part("left-words");
    words.textContent = text(
      "An upload of {count} files ({size}) was not finished. Choose the same files or folder again: what has arrived is not sent twice.",
      {
        count: left.files.length.toLocaleString(language),
        size: sizeOf(left.total),
      },
    );
    const title = this.form.elements.namedItem("title") as HTMLInputElement;
    title.value ||= left.title;
    const again = this.part<HTMLButtonElement>("left-again");
    again.hidden = !left.handles?.length;
    again.addEventListener(
      "click",
      () => void fromHandles(left.handles).then((picked) => this.add(picked, left.handles)),
    );
    this.part("left-forget").addEventListener("click", () => {
      box.hidden = true;
      void this.upload.forgetLeft();
    });
    box.hidden = false;
  }

  // Sending

  private wishes(): Wishes {
    const values = new FormData(this.form);
    const target = values.get("target");
    const title = this.form.elements.namedItem("title") as HTMLInputElement;
    return {
      title: title.value.trim() || title.placeholder,
      description: String(values.get("description") ?? "").trim(),
      newBranch: target === "pull" ? String(values.get("new_branch") ?? "").trim() : "",
      withPull: target !== "branch",
      conflicts: (values.get("conflicts") as Wishes["conflicts"]) ?? "overwrite",
      obeysIgnore: values.has("ignore"),
      allowsSecrets: this.allowsSecrets,
    };
  }

  private async run(): Promise<void> {
    if (this.upload.isBusy || !this.upload.items.length) return;
    for (const old of this.form.querySelectorAll(".form-fault")) old.remove();
    this.part("left").hidden = true;
    try {
      const landed = await this.upload.run(this.wishes());
      if (this.upload.phase === "done") this.finish(landed);
    } catch (error) {
      this.fail(error);
    }
    this.draw();
  }

  private finish(landed: Landed | undefined): void {
    document.title = this.title;
    if (!landed) {
      this.say(text("Everything is there already: there was nothing to commit."));
      return;
    }
    tellNext(landed.pull_number ? text("A pull request was opened.") : text("Uploaded and committed."));
    const { root, folder } = this.upload.target;
    const place = folder ? `/${encodeURIComponent(folder).replaceAll("%2F", "/")}` : "";
    location.assign(landed.pull_number ? landed.url : `${root}/files/${encodeURIComponent(landed.branch)}${place}`);
  }

  private fail(error: unknown): void {
    if (error instanceof DOMException && error.name === "AbortError") return;
    if (error instanceof Overlap) this.askOverlap(error);
    else if (error instanceof ApiError) {
      showFault(this.form, error);
      const anyway = () => {
        this.allowsSecrets = true;
        void this.run();
      };
      const mayAllow = this.root.dataset["canManage"] !== undefined;
      showSecrets(this.form, error, text("These are no secrets: upload them"), mayAllow ? anyway : undefined);
    } else {
      const words = error instanceof Error ? error.message : String(error);
      showFault(this.form, new ApiError(words, 0, "", "", {}));
    }
  }

  private askOverlap(error: Overlap): void {
    showFault(this.form, new ApiError(error.message, 409, "file_changed", "", {}));
    const box = this.form.querySelector(".form-fault > .grow");
    const list = make("ul", { class: "small" });
    for (const item of error.items.slice(0, 20)) list.append(make("li", {}, make("code", {}, item.path)));
    const overwrite = make(
      "button",
      { type: "button", class: "button tiny", "data-testid": "upload.overlap-mine" },
      text("Replace them by mine"),
    );
    const leave = make(
      "button",
      { type: "button", class: "button tiny", "data-testid": "upload.overlap-theirs" },
      text("Leave theirs"),
    );
    overwrite.addEventListener("click", () => void this.run());
    leave.addEventListener("click", () => {
      for (const item of error.items) item.state = "skipped";
      void this.run();
    });
    box?.append(list, make("div", { class: "row" }, overwrite, leave));
  }

  // Drawing, at most once a frame

  private note(item?: Item): void {
    if (item) this.changed.add(item);
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { upload } = this;
    const list = this.part("files");
    const current = new Set(upload.items);
    for (const [item, row] of this.rows) {
      if (current.has(item)) continue;
      row.element.remove();
      this.rows.delete(item);
    }
    for (const item of upload.items) {
      if (this.rows.size >= MAX_ROWS && item.state !== "failed" && item.state !== "refused") continue;
      if (!this.rows.has(item)) {
        const row = this.makeRow(item);
        this.rows.set(item, row);
        list.append(row.element);
        this.changed.add(item);
      }
    }
    for (const item of this.changed) this.drawItem(item);
    this.changed.clear();
    this.drawWhole();
  }

  private makeRow(item: Item): Row {
    const state = make("span", { class: "state" });
    const bar = make("progress", { max: "1", value: "0", "aria-label": item.path });
    const retry = make(
      "button",
      { type: "button", class: "button tiny", "data-testid": "upload.retry-one" },
      text("Try again"),
    );
    const remove = make(
      "button",
      { type: "button", class: "button bare tiny square", "aria-label": text("Leave out {path}", { path: item.path }) },
      icon("x"),
    );
    retry.addEventListener("click", () => void this.run());
    remove.addEventListener("click", () => this.upload.remove(item));
    const name = make(
      "span",
      { class: "cut", title: item.path },
      item.picked.path,
      " ",
      make("span", { class: "quiet small" }, sizeOf(item.size)),
    );
    const buttons = make("span", { class: "row" }, retry, remove);
    const element = make("li", { class: "file", "data-testid": "upload.file" }, name, state, buttons, bar);
    return { element, state, bar, retry, remove };
  }

  private drawItem(item: Item): void {
    const row = this.rows.get(item);
    if (!row) return;
    row.element.dataset["state"] = item.state;
    row.state.textContent = this.wordsOf(item);
    row.state.className = `state ${{ done: "good", failed: "bad", refused: "bad" }[item.state as string] ?? "quiet"}`;
    row.bar.hidden = item.state !== "hashing" && item.state !== "uploading";
    row.bar.value = item.size ? (item.state === "hashing" ? item.hashed : item.sent) / item.size : 0;
    row.retry.hidden = item.state !== "failed" || this.upload.isBusy;
    row.remove.hidden = this.upload.isBusy || item.state === "done";
  }

  private wordsOf(item: Item): string {
    const percent = (part: number) => `${Math.floor((part / Math.max(item.size, 1)) * 100)} %`;
    switch (item.state) {
      case "waiting":
        return text("waits");
      case "hashing":
        return text("is hashed: {percent}", { percent: percent(item.hashed) });
      case "ready":
        if (item.isConflict) return item.isLFS ? text("replaces another, in LFS") : text("replaces another");
        return item.isLFS ? text("will be stored in LFS") : text("ready");
      case "uploading": {
        if (item.isWaiting) return text("waits for the network");
        const left = item.speed ? duration((item.size - item.sent) / item.speed) : "";
        return [percent(item.sent), item.speed && `${sizeOf(item.speed)}/s`, left].filter(Boolean).join(" · ");
      }
      case "sent":
        return text("has arrived");
      case "done":
        return text("done");
      case "skipped":
        return item.isPresent ? text("is there already") : text("is left out");
      default:
        return item.fault;
    }
  }

  private drawWhole(): void {
    const { upload } = this;
    const { items, phase } = upload;
    const isSending = phase === "sending" || phase === "committing";
    const size = upload.total + upload.commitSize;
    const now = size ? ((upload.counted + upload.commitSent) / size) * 100 : 0;
    // It never goes back: what is sent twice counts once.
    this.shown = phase === "done" ? 100 : isSending || phase === "paused" ? Math.max(this.shown, Math.min(now, 99)) : 0;
    const bar = this.part("bar");
    const percent = Math.floor(this.shown);
    bar.setAttribute("aria-valuenow", String(percent));
    (bar.firstElementChild as HTMLElement).style.width = `${this.shown}%`;
    this.part("overall").hidden = phase === "choosing";
    if (phase !== "choosing" && phase !== "done") document.title = `${percent} % · ${this.title}`;

    const count = (state: string) => items.filter((item) => item.state === state).length;
    const failed = count("failed");
    const conflicts = items.filter((item) => item.state === "ready" && item.isConflict).length;
    this.part("conflicts").hidden = !conflicts || phase !== "choosing";
    this.part("ignore").hidden = !items.some((item) => item.check?.is_ignored) || phase !== "choosing";
    this.part("more").textContent =
      items.length > this.rows.size
        ? text("and {count} more files", { count: (items.length - this.rows.size).toLocaleString(language) })
        : "";
    this.part("sum").textContent = items.length
      ? text("{count} files, {size}", { count: items.length.toLocaleString(language), size: sizeOf(upload.total) })
      : "";
    const commits = upload.target.canWrite && phase !== "done" ? portionsOf(items).length : 1;
    const portions = this.part("portions");
    portions.hidden = commits < 2;
    const split =
      commits < 2
        ? ""
        : text("They go into {count} commits, one after the other: one takes 10,000 files.", { count: commits });
    if (portions.textContent !== split) portions.textContent = split;
    const fault = this.part("fault");
    fault.hidden = !upload.fault;
    fault.textContent = upload.fault;
    this.part("pause").hidden = !isSending;
    this.part("retry").hidden = !failed || isSending;
    const start = this.part<HTMLButtonElement>("start");
    start.disabled = isSending || phase === "done" || !items.length || Boolean(upload.fault);
    start.hidden = isSending;
    const words = start.querySelector("span");
    if (words) words.textContent = (phase === "paused" ? start.dataset["resume"] : start.dataset["begin"]) ?? "";
    this.root.dataset["phase"] = phase;
    this.drawTold(failed);
  }

  private drawTold(failed: number): void {
    const { items, phase } = this.upload;
    const over = items.filter((item) => item.isOver || item.state === "sent").length;
    let words = "";
    if (!navigator.onLine && phase === "sending")
      words = text("The network is gone. The upload goes on when it is back.");
    else if (phase === "committing") words = text("The files are committed …");
    else if (phase === "paused") words = failed ? text("{count} files failed.", { count: failed }) : text("Paused.");
    else if (phase === "sending")
      words = text("{count} of {total} files are there.", { count: over, total: items.length });
    if (words) this.say(words);
  }

  /** For all to see at once, and for screen readers every few seconds. */
  private say(words: string): void {
    this.part("told").textContent = words;
    const now = Date.now();
    if (now - this.spokenAt < SPOKEN_EVERY_MS) return;
    this.spokenAt = now;
    this.part("spoken").textContent = words;
  }
}
