// Hashes files by slices, off the page's own thread: SHA-256, or what Git calls the content.
import { createSHA1, createSHA256 } from "hash-wasm";

const SLICE_BYTES = 4 * 1024 * 1024;

export interface HashOrder {
  id: number;
  file: File;
  kind: "sha256" | "git";
}

export type HashReport = { id: number; done: number } | { id: number; hash: string } | { id: number; fault: string };

const post = (report: HashReport) => self.postMessage(report);

async function hash({ id, file, kind }: HashOrder): Promise<void> {
  const hasher = await (kind === "git" ? createSHA1() : createSHA256());
  hasher.init();
  if (kind === "git") hasher.update(`blob ${file.size}\0`);
  for (let at = 0; at < file.size; at += SLICE_BYTES) {
    hasher.update(new Uint8Array(await file.slice(at, at + SLICE_BYTES).arrayBuffer()));
    if (file.size > SLICE_BYTES) post({ id, done: Math.min(at + SLICE_BYTES, file.size) });
  }
  post({ id, hash: hasher.digest("hex") });
}

// One after the other: as many at once as there are workers is as many as there are cores.
let last: Promise<void> = Promise.resolve();

self.addEventListener("message", ({ data }: MessageEvent<HashOrder>) => {
  last = last.then(() => hash(data)).catch((error) => post({ id: data.id, fault: String(error?.message ?? error) }));
});
