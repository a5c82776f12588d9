// Hashes of files, by workers; those of large files are remembered, so that a reload does not begin anew.
import type { HashOrder, HashReport } from "../../hash_worker";
import { recall, remember } from "./store";

const MAX_WORKERS = 2;
/** What is no larger is hashed again in less time than a look into the store takes. */
const REMEMBERED_BYTES = 4 * 1024 * 1024;

interface Waiting {
  progress: (done: number) => void;
  resolve: (hash: string) => void;
  reject: (fault: Error) => void;
}

/** Hashes files one after the other in each worker. */
export class Hasher {
  private readonly workers: Worker[] = [];
  private readonly waiting = new Map<number, Waiting>();
  private next = 0;

  constructor(private readonly script: string) {}

  /** The hash of a file; place: what it is known by, with size and time of its last change. */
  async hash(place: string, file: File, kind: HashOrder["kind"], progress: (done: number) => void): Promise<string> {
    const key = `${kind}|${place}|${file.size}|${file.lastModified}`;
    const isLarge = file.size > REMEMBERED_BYTES;
    const known = isLarge ? await recall<string>("hashes", key) : undefined;
    if (known) return known;
    const hash = await new Promise<string>((resolve, reject) => {
      const id = this.next++;
      this.waiting.set(id, { progress, resolve, reject });
      this.worker(id).postMessage({ id, file, kind } satisfies HashOrder);
    });
    if (isLarge) await remember("hashes", key, hash);
    return hash;
  }

  /** Let the workers go. */
  close(): void {
    for (const worker of this.workers.splice(0)) worker.terminate();
  }

  private worker(id: number): Worker {
    const place = id % Math.min(MAX_WORKERS, navigator.hardwareConcurrency || 1);
    return (this.workers[place] ??= this.start());
  }

  private start(): Worker {
    const worker = new Worker(this.script, { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<HashReport>) => {
      const waiting = this.waiting.get(data.id);
      if (!waiting) return;
      if ("done" in data) {
        waiting.progress(data.done);
        return;
      }
      this.waiting.delete(data.id);
      if ("hash" in data) waiting.resolve(data.hash);
      else waiting.reject(new Error(data.fault));
    });
    worker.addEventListener("error", (event) => {
      for (const waiting of this.waiting.values()) waiting.reject(new Error(event.message));
      this.waiting.clear();
    });
    return worker;
  }
}
