// What the playground remembers: conversations, in this browser alone, apart for each account.

export interface Usage {
  prompt: number;
  cached: number;
  completion: number;
}

/** An answer of one model. firstMs, totalMs: from the question on; error: what was said instead of an answer. */
export interface Answer {
  model: string;
  text: string;
  reasoning: string;
  usage?: Usage;
  firstMs?: number;
  totalMs?: number;
  finish?: string;
  error?: string;
}

/** A question, and what each column answered. */
export interface Turn {
  user: string;
  answers: (Answer | null)[];
}

/** Members of requests as the form has them; what is empty is not sent. */
export type Parameters = Record<string, string>;

export interface Chat {
  id: string;
  title: string;
  at: number;
  system: string;
  parameters: Parameters;
  models: string[];
  turns: Turn[];
}

export const MOST_COLUMNS = 4;
const MOST_CHATS = 100;
const MOST_TITLE = 60;

const viewer = document.querySelector<HTMLMetaElement>('meta[name="viewer"]')?.content ?? "";
const place = `hub:playground:${viewer}`;

/** A conversation in which nothing was said. */
export function newChat(models: string[], from?: Chat): Chat {
  return {
    id: crypto.randomUUID(),
    title: "",
    at: Date.now(),
    system: from?.system ?? "",
    parameters: { ...from?.parameters },
    models,
    turns: [],
  };
}

/** The conversations that are kept, the newest first. */
export function listChats(): Chat[] {
  try {
    return JSON.parse(localStorage.getItem(place) ?? "[]") as Chat[];
  } catch {
    return [];
  }
}

function store(chats: Chat[]): boolean {
  // When the browser has no more room, the oldest make some.
  for (let kept = chats.slice(0, MOST_CHATS); kept.length; kept = kept.slice(0, -1)) {
    try {
      localStorage.setItem(place, JSON.stringify(kept));
      return true;
    } catch {}
  }
  localStorage.removeItem(place);
  return false;
}

/** Keep a conversation as it stands now; one in which nothing was said is not kept. */
export function keepChat(chat: Chat): void {
  if (!chat.turns.length) return;
  chat.at = Date.now();
  chat.title ||= (chat.turns[0]?.user.trim().split("\n")[0] ?? "").slice(0, MOST_TITLE);
  store([chat, ...listChats().filter((one) => one.id !== chat.id)]);
}

/** Give a conversation another title. */
export function renameChat(id: string, title: string): void {
  store(listChats().map((one) => (one.id === id ? { ...one, title: title.slice(0, MOST_TITLE) } : one)));
}

/** Forget a conversation. */
export function forgetChat(id: string): void {
  store(listChats().filter((one) => one.id !== id));
}

/** Thoughts that a model puts before its answer, between <think> and </think>, and the answer. */
export function splitThought(words: string): [string, string] {
  const found = /^\s*<think>([\s\S]*?)(?:<\/think>\s*|$)/.exec(words);
  return found ? [found[1] ?? "", words.slice(found[0].length)] : ["", words];
}

interface Message {
  role: string;
  content: string;
}

/** What a column's model is sent: the system's words, what was said before, and the question of a turn. */
export function messagesOf(chat: Chat, column: number, last = chat.turns.length - 1): Message[] {
  const messages: Message[] = chat.system.trim() ? [{ role: "system", content: chat.system }] : [];
  for (const [place, turn] of chat.turns.slice(0, last + 1).entries()) {
    messages.push({ role: "user", content: turn.user });
    const answer = turn.answers[column];
    const [, words] = splitThought(answer?.text ?? "");
    if (place < last && words) messages.push({ role: "assistant", content: words });
  }
  return messages;
}

const NUMBERS = ["temperature", "top_p", "top_k", "max_tokens", "seed"];

/** The members of a request that the form's parameters stand for. Raises SyntaxError for a schema that is no JSON. */
export function requestOf(parameters: Parameters): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  for (const name of NUMBERS) if (parameters[name]) members[name] = Number(parameters[name]);
  const stops = (parameters["stop"] ?? "").split("\n").filter(Boolean);
  if (stops.length) members["stop"] = stops;
  const format = parameters["response_format"];
  if (format === "json_object") members["response_format"] = { type: format };
  if (format === "json_schema") {
    const schema: unknown = JSON.parse(parameters["schema"] || "{}");
    members["response_format"] = { type: format, json_schema: { name: "answer", schema } };
  }
  return members;
}
