// What outlives the page: hashes of large files, and which upload was under way. Without a store, nothing does.
const NAME = "hub-uploads";
const STORES = ["hashes", "sessions"] as const;
type Store = (typeof STORES)[number];

let opened: Promise<IDBDatabase | undefined> | undefined;

function open(): Promise<IDBDatabase | undefined> {
  opened ??= new Promise((resolve) => {
    const request = indexedDB.open(NAME, 1);
    request.addEventListener("upgradeneeded", () => {
      for (const store of STORES) request.result.createObjectStore(store);
    });
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => resolve(undefined));
  });
  return opened;
}

async function within<T>(store: Store, mode: IDBTransactionMode, run: (store: IDBObjectStore) => IDBRequest<T>) {
  const database = await open();
  if (!database) return undefined;
  return new Promise<T | undefined>((resolve) => {
    const request = run(database.transaction(store, mode).objectStore(store));
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => resolve(undefined));
  });
}

/** What is kept under a key; undefined: nothing. */
export const recall = <T>(store: Store, key: string): Promise<T | undefined> =>
  within<T>(store, "readonly", (found) => found.get(key));

export const remember = (store: Store, key: string, value: unknown): Promise<unknown> =>
  within(store, "readwrite", (found) => found.put(value, key));

export const forget = (store: Store, key: string): Promise<unknown> =>
  within(store, "readwrite", (found) => found.delete(key));

/** An upload that was begun: enough to say what must be chosen again. handles: where the browser gives such. */
export interface Session {
  files: { path: string; size: number }[];
  total: number;
  title: string;
  handles: FileSystemHandle[];
}
