// What the playground remembers: conversations, in this browser alone, apart for each account. Pictures are large, so
// they stand in the browser's database, and beside each conversation what lists of them need, without its files.
import { allTurns, type Chat } from "./chats";
import { isHidden, type Vote, votesOf } from "./votes";

/** What is shown of a conversation that is not open. words: all that was said, in small letters. */
export interface Head {
  id: string;
  title: string;
  at: number;
  models: string[];
  words: string;
  votes: Vote[];
}

const MOST_CHATS = 200;
const MOST_TITLE = 60;
const MOST_WORDS = 200_000;
const [CHATS, HEADS] = ["chats", "heads"];

const viewer = document.querySelector<HTMLMetaElement>('meta[name="viewer"]')?.content ?? "";
const place = `hub:playground:${viewer}`;

function headOf(chat: Chat): Head {
  const said = [...allTurns(chat)].flatMap((turn) => [turn.user, ...turn.answers.map((answer) => answer?.text ?? "")]);
  const words = [chat.title, ...said].join("\n").slice(0, MOST_WORDS).toLowerCase();
  // The list does not tell either who is who.
  const models = isHidden(chat) ? [...chat.models].sort() : chat.models;
  return { id: chat.id, title: chat.title, at: chat.at, models, words, votes: votesOf(chat) };
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}

async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(place, 1);
  request.addEventListener("upgradeneeded", () => {
    const chats = request.result.createObjectStore(CHATS, { keyPath: "id" });
    const heads = request.result.createObjectStore(HEADS, { keyPath: "id" });
    heads.createIndex("at", "at");
    // Until lately they stood elsewhere.
    for (const chat of JSON.parse(localStorage.getItem(place) ?? "[]") as Chat[]) {
      chats.put(chat);
      heads.put(headOf(chat));
    }
  });
  const database = await done(request);
  localStorage.removeItem(place);
  return database;
}

let opened: Promise<IDBDatabase> | undefined;

async function tables(mode: IDBTransactionMode): Promise<{ chats: IDBObjectStore; heads: IDBObjectStore }> {
  opened ??= open();
  const transaction = (await opened).transaction([CHATS, HEADS], mode);
  return { chats: transaction.objectStore(CHATS), heads: transaction.objectStore(HEADS) };
}

/** The conversations that are kept, the newest first; none where the browser keeps nothing. */
export async function listHeads(): Promise<Head[]> {
  try {
    const { heads } = await tables("readonly");
    const found = await done(heads.getAll() as IDBRequest<Head[]>);
    return found.sort((one, other) => other.at - one.at);
  } catch {
    return [];
  }
}

/** A conversation; nothing where it is kept no more. */
export async function findChat(id: string): Promise<Chat | undefined> {
  const { chats } = await tables("readonly");
  return await done(chats.get(id) as IDBRequest<Chat | undefined>);
}

/** Keep a conversation as it stands now; one in which nothing was said is not kept. Whether it is kept. */
export async function keepChat(chat: Chat): Promise<boolean> {
  if (!chat.turns.length) return true;
  chat.at = Date.now();
  const [first] = chat.turns;
  chat.title ||= (first?.user.trim().split("\n")[0] || first?.files?.[0]?.name || "").slice(0, MOST_TITLE);
  try {
    const { chats, heads } = await tables("readwrite");
    heads.put(headOf(chat));
    await done(chats.put(chat));
    // The oldest make room: of an index the keys come in its order, and are those of its table.
    const ids = await done(heads.index("at").getAllKeys());
    for (const id of ids.slice(0, -MOST_CHATS)) {
      heads.delete(id);
      chats.delete(id);
    }
    return true;
  } catch {
    return false;
  }
}

/** Give a conversation another title. */
export async function renameChat(id: string, title: string): Promise<void> {
  const chat = await findChat(id);
  if (!chat) return;
  chat.title = title.slice(0, MOST_TITLE);
  const { chats, heads } = await tables("readwrite");
  heads.put(headOf(chat));
  await done(chats.put(chat));
}

/** Forget a conversation. */
export async function forgetChat(id: string): Promise<void> {
  const { chats, heads } = await tables("readwrite");
  heads.delete(id);
  await done(chats.delete(id));
}
