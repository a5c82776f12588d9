// What the playground remembers: conversations, in this browser alone, apart for each account. Pictures are large, so
// they stand in the browser's database and not in its little store of words.
import type { Chat } from "./chats";

const MOST_CHATS = 200;
const MOST_TITLE = 60;
const TABLE = "chats";

const viewer = document.querySelector<HTMLMetaElement>('meta[name="viewer"]')?.content ?? "";
const place = `hub:playground:${viewer}`;

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}

async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(place, 1);
  request.addEventListener("upgradeneeded", () => {
    const table = request.result.createObjectStore(TABLE, { keyPath: "id" });
    table.createIndex("at", "at");
    // Until lately they stood elsewhere.
    for (const chat of JSON.parse(localStorage.getItem(place) ?? "[]") as Chat[]) table.put(chat);
  });
  const database = await done(request);
  localStorage.removeItem(place);
  return database;
}

let opened: Promise<IDBDatabase> | undefined;

async function table(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  opened ??= open();
  return (await opened).transaction(TABLE, mode).objectStore(TABLE);
}

/** The conversations that are kept, the newest first; none where the browser keeps nothing. */
export async function listChats(): Promise<Chat[]> {
  try {
    const found = await done((await table("readonly")).getAll() as IDBRequest<Chat[]>);
    return found.sort((one, other) => other.at - one.at);
  } catch {
    return [];
  }
}

/** Keep a conversation as it stands now; one in which nothing was said is not kept. Whether it is kept. */
export async function keepChat(chat: Chat): Promise<boolean> {
  if (!chat.turns.length) return true;
  chat.at = Date.now();
  const [first] = chat.turns;
  chat.title ||= (first?.user.trim().split("\n")[0] || first?.files?.[0]?.name || "").slice(0, MOST_TITLE);
  try {
    const kept = await table("readwrite");
    await done(kept.put(structuredClone(chat)));
    // The oldest make room.
    const ids = await done(kept.index("at").getAllKeys());
    for (const id of ids.slice(0, -MOST_CHATS)) kept.delete(id);
    return true;
  } catch {
    return false;
  }
}

/** Give a conversation another title. */
export async function renameChat(id: string, title: string): Promise<void> {
  const kept = await table("readwrite");
  const chat = await done(kept.get(id) as IDBRequest<Chat | undefined>);
  if (chat) await done(kept.put({ ...chat, title: title.slice(0, MOST_TITLE) }));
}

/** Forget a conversation. */
export async function forgetChat(id: string): Promise<void> {
  await done((await table("readwrite")).delete(id));
}
