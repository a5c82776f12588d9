// The pages that change one file: the editor with its views, what was typed and not sent, and what somebody else did
// to the file meanwhile.
import { ApiError, call } from "./lib/api";
import { quotePath, textOfBase64 } from "./lib/bytes";
import { onEach } from "./lib/dom";
import { type Editor, mountEditor } from "./lib/editor";
import { showFault } from "./lib/faults";
import { showSecrets } from "./lib/secrets";
import { text } from "./lib/texts";
import { tellError, tellNext } from "./lib/toasts";
import { setUpViews } from "./lib/views";

interface Landed {
  branch: string;
  pull_number: number | null;
  url: string;
}

interface Draft {
  sha: string;
  fields: Record<string, string>;
}

class EditForm {
  private readonly area: HTMLTextAreaElement | null;
  private readonly path: HTMLInputElement | null;
  private readonly draftName = `hub:draft:${location.pathname}:file`;
  private readonly first: string;
  private editor: Editor | undefined;
  private merged: { value(): string; destroy(): void } | undefined;
  private sha: string;
  private key = crypto.randomUUID();
  private isSent = false;
  private allowsSecrets = false;

  constructor(private readonly form: HTMLFormElement) {
    this.area = form.querySelector("textarea[name=content]");
    this.path = form.querySelector("input[name=path]");
    this.sha = form.dataset["sha"] ?? "";
    this.first = this.area?.value ?? "";
    this.restore();
    form.addEventListener("input", () => this.keep());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
    window.addEventListener("beforeunload", (event) => {
      if (this.isDirty()) event.preventDefault();
    });
    if (this.area) void this.mount(this.area);
  }

  private async mount(area: HTMLTextAreaElement): Promise<void> {
    this.editor = await mountEditor(area, { path: this.path?.value ?? "" });
    this.path?.addEventListener("input", () => this.editor?.setPath(this.path?.value ?? ""));
    setUpViews(this.form, {
      editor: this.editor,
      before: this.first,
      text: () => this.text(),
      path: () => this.path?.value ?? "",
      base: () =>
        `${this.form.dataset["url"]}/blob/${encodeURIComponent(this.branch)}/${quotePath(this.path?.value ?? "")}`,
    });
    if (!this.path?.autofocus) this.editor?.focus();
    this.form.dataset["ready"] = "";
  }

  private get branch(): string {
    return this.form.dataset["branch"] ?? "";
  }

  private text(): string {
    return this.merged?.value() ?? this.editor?.value() ?? this.area?.value ?? "";
  }

  private value(name: string): string {
    const field = this.form.elements.namedItem(name);
    if (field instanceof RadioNodeList) return field.value;
    return field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement ? field.value : "";
  }

  private isDirty(): boolean {
    if (this.isSent) return false;
    return this.text() !== this.first || (this.path !== null && this.path.value !== this.path.defaultValue);
  }

  // What was typed outlives the page and the session; with it, what it was written upon.

  private keep(): void {
    const fields = Object.fromEntries(["path", "title", "description"].map((name) => [name, this.value(name)]));
    if (this.area) fields["content"] = this.text();
    const draft: Draft = { sha: this.sha, fields };
    try {
      sessionStorage.setItem(this.draftName, JSON.stringify(draft));
    } catch {
      // A text that is too large for the browser's store is kept by the page alone.
    }
  }

  private restore(): void {
    const kept = JSON.parse(sessionStorage.getItem(this.draftName) ?? "null") as Draft | null;
    if (!kept || (this.area && kept.fields["content"] === this.first)) return;
    this.sha = kept.sha;
    for (const [name, value] of Object.entries(kept.fields)) {
      const field = this.form.elements.namedItem(name);
      if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) field.value = value;
    }
    const told = this.form.querySelector<HTMLElement>("[data-restored]");
    if (told) told.hidden = false;
    told?.querySelector("[data-discard]")?.addEventListener("click", () => {
      this.isSent = true;
      sessionStorage.removeItem(this.draftName);
      location.reload();
    });
  }

  // Sending

  private files(): Record<string, unknown>[] {
    const kind = this.form.dataset["edit"];
    const origin = this.form.dataset["origin"] ?? "";
    if (kind === "delete" || kind === "delete_dir") {
      return [{ path: origin, action: kind, sha: kind === "delete" ? this.sha : null }];
    }
    const path = (this.path?.value ?? "").replace(/^\/+|\/+$/g, "");
    const put = () => {
      const content = this.text();
      return { path, action: "put", content: this.form.dataset["crlf"] ? content.replace(/\r?\n/g, "\r\n") : content };
    };
    if (kind === "new" || path === origin) return [{ ...put(), sha: this.sha }];
    const move = { path, action: "move", source: origin, sha: this.sha };
    return this.area && this.text() !== this.first ? [move, { ...put(), sha: null }] : [move];
  }

  private async submit(): Promise<void> {
    const target = this.value("target");
    if (this.path && !this.path.value.trim().replace(/\/$/, "")) {
      showFault(this.form, new ApiError(text("Give the file a name."), 400, "", "", { member: "path" }));
      return;
    }
    const title = this.value("title").trim() || this.form.querySelector<HTMLInputElement>("[name=title]")?.placeholder;
    const body = {
      message: [title, this.value("description").trim()].filter(Boolean).join("\n\n"),
      branch: this.branch,
      new_branch: target === "pull" ? this.value("new_branch").trim() : "",
      create_pr: target !== "branch",
      allow_secrets: this.allowsSecrets,
      files: this.files(),
    };
    const buttons = this.form.querySelectorAll<HTMLButtonElement>("button:not([type=button])");
    for (const button of buttons) button.disabled = true;
    try {
      const landed = await call<Landed>(`${this.form.dataset["repo"]}/changes`, {
        method: "POST",
        body,
        key: this.key,
      });
      this.leave(landed);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // What was refused may be sent otherwise; what may have arrived is sent again as the same.
      if (error.status !== 0) this.key = crypto.randomUUID();
      if (error.reason === "file_changed" && this.area) await this.merge().catch(tellError);
      else this.showRefusal(error);
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }

  private showRefusal(error: ApiError): void {
    showFault(this.form, error);
    const anyway = () => {
      this.allowsSecrets = true;
      void this.submit();
    };
    const mayAllow = this.form.dataset["canManage"] !== undefined;
    showSecrets(this.form, error, text("These are no secrets: commit them"), mayAllow ? anyway : undefined);
    // What is written afterwards is looked at anew.
    this.allowsSecrets = false;
  }

  private leave(landed: Landed): void {
    this.isSent = true;
    sessionStorage.removeItem(this.draftName);
    const root = this.form.dataset["url"];
    const branch = encodeURIComponent(landed.branch);
    const path = this.path?.value.replace(/^\/+|\/+$/g, "") ?? "";
    const folder = (this.form.dataset["origin"] ?? "").replace(/[^/]*$/, "");
    tellNext(landed.pull_number ? text("A pull request was opened.") : text("Committed."));
    if (landed.pull_number) location.assign(landed.url);
    else if (path) location.assign(`${root}/blob/${branch}/${quotePath(path)}`);
    else location.assign(`${root}/files/${branch}/${quotePath(folder)}`);
  }

  /** Show what is there now beside what was written; the next commit is upon that. */
  private async merge(): Promise<void> {
    const ours = this.text();
    const path = this.form.dataset["origin"] || (this.path?.value ?? "");
    const query = new URLSearchParams({ ref: this.branch });
    let theirs = "";
    try {
      const blob = await call<{ content?: string; sha: string; lfs?: boolean }>(
        `${this.form.dataset["repo"]}/blob/${quotePath(path)}?${query}`,
      );
      if (blob.content === undefined)
        throw new Error(text("The file is no text any more: copy what you wrote and look at it."));
      theirs = textOfBase64(blob.content).replace(/\r\n/g, "\n");
      this.sha = blob.sha;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      this.sha = "";
      this.form.dataset["edit"] = "new";
    }
    const told = this.form.querySelector("[data-merge-told]");
    if (told) told.textContent = this.sha ? "" : text("It was deleted: committing again creates it anew.");
    this.merged?.destroy();
    const place = this.form.querySelector<HTMLElement>("[data-merge-place]");
    const view = this.form.querySelector<HTMLElement>("[data-merge]");
    if (!place || !view) return;
    for (const part of this.form.querySelectorAll<HTMLElement>(".edit-tabs, [role=tabpanel]")) part.hidden = true;
    place.replaceChildren();
    view.hidden = false;
    const { mergeVersions } = await import("./lib/codemirror/merge");
    this.merged = await mergeVersions(place, {
      theirs,
      ours,
      path,
      labels: [text("As it is now"), text("Yours")],
      changed: () => this.keep(),
    });
    this.keep();
    view.scrollIntoView({ block: "start" });
  }
}

onEach<HTMLFormElement>("form[data-edit]", (form) => void new EditForm(form));
