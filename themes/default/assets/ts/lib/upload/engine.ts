// An upload: files are looked at, hashed, sent, and put into one commit at the end. What it shows is the panel's.
import { ApiError, call, renewCsrf } from "../api";
import { text } from "../texts";
import { bodyOf, portionsOf } from "./committing";
import { Hasher } from "./hashing";
import { beside, type Check, Item } from "./item";
import type { Picked } from "./picked";
import { aborted, callOften, inParallel, persist, post } from "./sending";
import { forget, recall, remember, type Session } from "./store";
import { sendContent } from "./transfer";

const FILES_AT_ONCE = 3;
const CHECKED_AT_ONCE = 1000;

export type Conflicts = "overwrite" | "both" | "skip";

/** What the page says of the place where files go. */
export interface Target {
  api: string;
  branch: string;
  folder: string;
  canWrite: boolean;
  worker: string;
  /** The address of the repository's pages. */
  root: string;
  /** The name of who uploads. */
  viewer: string;
}

export interface Wishes {
  title: string;
  description: string;
  newBranch: string;
  withPull: boolean;
  conflicts: Conflicts;
  obeysIgnore: boolean;
  allowsSecrets: boolean;
}

export interface Landed {
  commit_id: string;
  branch: string;
  pull_number: number | null;
  url: string;
}

interface Checked {
  commit_id: string;
  fault: string;
  files: Check[];
}

export class Upload {
  readonly items: Item[] = [];
  /** What stands against all of it. */
  fault = "";
  phase: "choosing" | "sending" | "paused" | "committing" | "done" = "choosing";
  commitSent = 0;
  commitSize = 0;
  commits = 0;
  private readonly hasher: Hasher;
  private readonly sessionKey: string;
  private readonly looking = new Set<Promise<void>>();
  private handles: FileSystemHandle[] = [];
  private parent: string | undefined;
  private control = new AbortController();

  constructor(
    readonly target: Target,
    private readonly told: (item?: Item) => void,
  ) {
    this.hasher = new Hasher(target.worker);
    this.sessionKey = `${target.api}|${target.branch}|${target.folder}`;
  }

  get total(): number {
    return this.items.reduce((sum, item) => sum + item.size, 0);
  }

  get counted(): number {
    return this.items.reduce((sum, item) => sum + item.counted, 0);
  }

  get isBusy(): boolean {
    return this.phase === "sending" || this.phase === "committing";
  }

  // Before anything is sent

  /** The upload that was under way here when the page was left. */
  left(): Promise<Session | undefined> {
    return recall<Session>("sessions", this.sessionKey);
  }

  forgetLeft(): Promise<unknown> {
    return forget("sessions", this.sessionKey);
  }

  /** Take files in: each is looked up and hashed. One of a path that is there already replaces it. */
  async add(picked: Picked[], handles: FileSystemHandle[] = []): Promise<void> {
    this.handles.push(...handles);
    const paths = new Map(this.items.map((item) => [item.path, item]));
    const added: Item[] = [];
    for (const one of picked) {
      const item = new Item(one, this.target.folder);
      const old = paths.get(item.path);
      if (old) this.items.splice(this.items.indexOf(old), 1);
      paths.set(item.path, item);
      this.items.push(item);
      added.push(item);
    }
    this.told();
    const looked = this.look(added);
    this.looking.add(looked);
    await looked.finally(() => this.looking.delete(looked));
  }

  remove(item: Item): void {
    const place = this.items.indexOf(item);
    if (place >= 0) this.items.splice(place, 1);
    this.told();
  }

  private async look(items: Item[]): Promise<void> {
    await this.check(items);
    await inParallel(
      items.filter((item) => item.state === "waiting"),
      FILES_AT_ONCE,
      (item) => this.hash(item),
    );
  }

  /** Ask how files would be stored and what is there; the branch's commit of now is what the commit is upon. */
  private async check(items: Item[]): Promise<void> {
    for (let at = 0; at < items.length; at += CHECKED_AT_ONCE) {
      const some = items.slice(at, at + CHECKED_AT_ONCE);
      const body = {
        branch: this.target.branch,
        files: some.map((item) => ({ path: item.path, size: item.size })),
        total_size: this.total,
        for_proposal: !this.target.canWrite,
      };
      const signal = this.control.signal;
      const checked = await callOften<Checked>(
        `${this.target.api}/uploads/check`,
        { method: "POST", body },
        signal,
        () => {},
      );
      this.fault = checked.fault;
      // The oldest counts: the commit is refused when the branch has moved since, and all is looked at again.
      this.parent ??= checked.commit_id;
      checked.files.forEach((check, place) => {
        const item = some[place];
        if (item) this.noteCheck(item, check);
      });
    }
    this.told();
  }

  private noteCheck(item: Item, check: Check): void {
    const isOther = item.check !== undefined && item.check.mode !== check.mode;
    item.check = check;
    const fault = check.fault || (check.is_directory ? text("There is a folder of this name.") : "");
    if (fault) {
      item.state = "refused";
      item.fault = fault;
    } else if (isOther && item.hash) {
      item.hash = "";
      item.state = "failed";
      item.fault = text("The branch stores this file in another way now: try again.");
    }
    this.told(item);
  }

  private async hash(item: Item): Promise<void> {
    item.state = "hashing";
    this.told(item);
    try {
      item.hash = await this.hasher.hash(item.path, item.file, item.isLFS ? "sha256" : "git", (done) => {
        item.hashed = done;
        this.told(item);
      });
      item.state = item.isPresent ? "skipped" : "ready";
    } catch (error) {
      item.state = "failed";
      item.fault = text("The file cannot be read: {reason}", { reason: error instanceof Error ? error.message : "" });
    }
    this.told(item);
  }

  // Sending

  /** Send everything and commit it. Rejects with an AbortError when it was paused. */
  async run(wishes: Wishes): Promise<Landed | undefined> {
    this.control = new AbortController();
    this.phase = "sending";
    await this.keepSession(wishes);
    this.told();
    try {
      await Promise.all(this.looking);
      await this.rehashFailed();
      this.settleConflicts(wishes);
      await inParallel(
        this.items.filter((item) => item.isLFS && item.state === "ready"),
        FILES_AT_ONCE,
        (item) => this.send(item),
      );
      if (this.control.signal.aborted) throw aborted();
      if (this.items.some((item) => item.state === "failed")) {
        this.phase = "paused";
        return undefined;
      }
      return await this.commit(wishes);
    } catch (error) {
      this.phase = "paused";
      throw error;
    } finally {
      this.told();
    }
  }

  pause(): void {
    this.phase = "paused";
    this.control.abort();
    this.told();
  }

  /** Give up for good. */
  close(): void {
    this.control.abort();
    this.hasher.close();
  }

  private async keepSession({ title }: Wishes): Promise<void> {
    const files = this.items.map(({ picked, size }) => ({ path: picked.path, size }));
    const session: Session = { files, total: this.total, title, handles: this.handles };
    await remember("sessions", this.sessionKey, session).catch(() => undefined);
  }

  private async rehashFailed(): Promise<void> {
    const failed = this.items.filter((item) => item.state === "failed");
    for (const item of failed) item.fault = "";
    await inParallel(
      failed.filter((item) => !item.hash),
      FILES_AT_ONCE,
      (item) => this.hash(item),
    );
    for (const item of failed) if (item.hash && item.state === "failed") item.state = "ready";
  }

  private settleConflicts({ conflicts, obeysIgnore }: Wishes): void {
    const taken = new Set(this.items.map((item) => item.path));
    for (const item of this.items) {
      if (item.state !== "ready") continue;
      if (obeysIgnore && item.check?.is_ignored) item.state = "skipped";
      else if (item.isConflict && conflicts === "skip") item.state = "skipped";
      else if (item.isConflict && conflicts === "both") {
        let number = 2;
        while (taken.has(beside(item.path, number))) number++;
        item.path = beside(item.path, number);
        taken.add(item.path);
        if (item.check) item.check = { ...item.check, oid: "" };
      }
      this.told(item);
    }
  }

  private async send(item: Item): Promise<void> {
    const { signal } = this.control;
    if (signal.aborted) return;
    item.state = "uploading";
    this.told(item);
    try {
      await sendContent(item, this.target.api, !this.target.canWrite, signal, () => this.told(item));
      item.state = "sent";
    } catch (error) {
      if (signal.aborted) item.state = "ready";
      else {
        item.state = "failed";
        item.fault = error instanceof Error ? error.message : String(error);
      }
    }
    item.isWaiting = false;
    this.told(item);
  }

  // The commit

  private async commit(wishes: Wishes): Promise<Landed | undefined> {
    const files = this.items.filter((item) => item.state === "ready" || item.state === "sent");
    this.phase = "committing";
    this.told();
    if (!files.length) {
      this.phase = "done";
      await this.forgetLeft();
      return undefined;
    }
    const portions = portionsOf(files);
    this.commits = portions.length;
    if (portions.length > 1 && !this.target.canWrite) {
      throw new Error(text("A proposal takes 10,000 files at most: propose them in portions."));
    }
    let first: Landed | undefined;
    let last: Landed | undefined;
    for (const [place, portion] of portions.entries()) {
      const title = portions.length > 1 ? `${wishes.title} (${place + 1}/${portions.length})` : wishes.title;
      // A pull request follows its branch, so what comes after the first commit goes there.
      const own = first ? { ...wishes, title, newBranch: "", withPull: false } : { ...wishes, title };
      last = await this.commitPortion(portion, first?.branch ?? this.target.branch, own);
      first ??= last;
      if (this.target.canWrite) await this.confirm(portion, last);
      for (const item of portion) {
        item.state = "done";
        this.told(item);
      }
    }
    this.phase = "done";
    await this.forgetLeft();
    this.hasher.close();
    return first?.pull_number ? first : last;
  }

  /** Ask whether the commit holds just what was sent: only then it is done. */
  private async confirm(items: Item[], landed: Landed): Promise<void> {
    for (let at = 0; at < items.length; at += CHECKED_AT_ONCE) {
      const some = items.slice(at, at + CHECKED_AT_ONCE);
      const files = some.map((item) => ({ path: item.path, size: item.size }));
      const how = { method: "POST", body: { branch: landed.branch, files } };
      const found = await callOften<Checked>(`${this.target.api}/uploads/check`, how, this.control.signal, () => {});
      // Somebody else's commit is upon it by now: what it holds says nothing of ours.
      if (found.commit_id !== landed.commit_id) return;
      const missing = found.files.findIndex((file, place) => file.oid !== some[place]?.hash);
      if (missing >= 0)
        throw new Error(text("{path} did not arrive as it was sent.", { path: some[missing]?.path ?? "" }));
    }
  }

  private async commitPortion(items: Item[], branch: string, wishes: Wishes): Promise<Landed> {
    const { signal } = this.control;
    for (;;) {
      const body = await bodyOf(items, wishes.title, wishes.description, this.parent ?? "");
      this.commitSize = body.size;
      const query = new URLSearchParams();
      if (wishes.newBranch) query.set("new_branch", wishes.newBranch);
      if (wishes.withPull) query.set("create_pr", "1");
      if (wishes.allowsSecrets) query.set("allow_secrets", "1");
      const url = `${this.target.api}/uploads/commit/${encodeURIComponent(branch)}?${query}`;
      const before = wishes.withPull ? (await this.newestPull())?.number : undefined;
      let isRepeated = false;
      const send = async () => {
        const opened = isRepeated && wishes.withPull ? await this.newestPull() : undefined;
        if (opened && opened.number !== before && opened.title === wishes.title)
          return this.landedAs(opened.number, branch);
        isRepeated = true;
        return post<Landed>(url, body, "application/x-ndjson", signal, (sent) => {
          this.commitSent = sent;
          this.told();
        });
      };
      try {
        const landed = await persist(send, signal, () => {});
        this.parent = landed.commit_id;
        return landed;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // Signed in anew in another window: the page has the word of the session that ended.
        if (error.reason === "csrf_failed" && (await renewCsrf())) continue;
        if (error.reason !== "parent_mismatch") throw error;
        const landedBefore = await this.rebase(items);
        if (landedBefore) return landedBefore;
      }
    }
  }

  /** The pull request that the uploader opened last: an answer that was lost is not asked for by opening another. */
  private async newestPull(): Promise<{ number: number; title: string } | undefined> {
    const query = new URLSearchParams({ author: this.target.viewer, per: "1" });
    return (await call<{ number: number; title: string }[]>(`${this.target.api}/pulls?${query}`))[0];
  }

  private landedAs(number: number, branch: string): Landed {
    return { commit_id: "", branch, pull_number: number, url: `${this.target.root}/community/${number}` };
  }

  /** The branch has moved: go on upon what is there now, unless somebody changed the same files.
   *
   * The answer to our own commit may have been lost: then all of it is there, and that commit is the answer. */
  private async rebase(items: Item[]): Promise<Landed | undefined> {
    const before = new Map(items.map((item) => [item, item.check?.oid ?? ""]));
    this.parent = undefined;
    await this.check(items);
    if (items.every((item) => item.isPresent)) {
      const commit = this.parent ?? "";
      const url = `${this.target.root}/commit/${commit}`;
      return { commit_id: commit, branch: this.target.branch, pull_number: null, url };
    }
    const failed = items.find((item) => item.state === "failed" || item.state === "refused");
    if (failed) throw new Error(`${failed.path}: ${failed.fault}`);
    const changed = items.filter((item) => !item.isPresent && item.check?.oid !== before.get(item));
    if (changed.length) throw new Overlap(changed);
    return undefined;
  }
}

/** Somebody else changed files of this upload while it went on. */
export class Overlap extends Error {
  constructor(readonly items: Item[]) {
    super(text("Somebody else changed files of this upload meanwhile. Nothing was overwritten."));
  }
}
