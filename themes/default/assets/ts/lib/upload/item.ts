// One file that is to come, and how far it is.
import type { Picked } from "./picked";

export type State = "waiting" | "hashing" | "ready" | "uploading" | "sent" | "done" | "skipped" | "failed" | "refused";

export interface Check {
  path: string;
  mode: "regular" | "lfs";
  oid: string;
  is_directory: boolean;
  is_ignored: boolean;
  fault: string;
}

export class Item {
  state: State = "waiting";
  /** Where it will be in the repository. */
  path: string;
  check: Check | undefined;
  hash = "";
  hashed = 0;
  sent = 0;
  fault = "";
  isWaiting = false;
  /** Bytes a second, over the last moments. */
  speed = 0;
  private mark = { at: 0, sent: 0 };

  constructor(
    readonly picked: Picked,
    folder: string,
  ) {
    this.path = folder ? `${folder}/${picked.path}` : picked.path;
  }

  get file(): File {
    return this.picked.file;
  }

  get size(): number {
    return this.picked.file.size;
  }

  get isLFS(): boolean {
    return this.check?.mode === "lfs";
  }

  /** Whether something else is at its path. */
  get isConflict(): boolean {
    return Boolean(this.check?.oid) && this.check?.oid !== this.hash;
  }

  /** Whether just this is at its path already. */
  get isPresent(): boolean {
    return this.hash !== "" && this.check?.oid === this.hash;
  }

  get isOver(): boolean {
    return this.state === "done" || this.state === "skipped" || this.state === "refused";
  }

  /** Bytes that are counted towards the whole. */
  get counted(): number {
    return this.isOver || this.state === "sent" ? this.size : Math.min(this.sent, this.size);
  }

  note(sent: number): void {
    const now = performance.now();
    if (!this.mark.at || sent < this.mark.sent) this.mark = { at: now, sent };
    else if (now - this.mark.at > 1000) {
      const recent = ((sent - this.mark.sent) * 1000) / (now - this.mark.at);
      this.speed = this.speed ? this.speed * 0.6 + recent * 0.4 : recent;
      this.mark = { at: now, sent };
    }
    this.sent = sent;
  }
}

/** A name beside one that is taken: "a.txt" becomes "a (2).txt". */
export function beside(path: string, number: number): string {
  const [, stem = path, ending = ""] = /^(.*?)(\.[^./]*)?$/.exec(path) ?? [];
  return `${stem} (${number})${ending}`;
}
