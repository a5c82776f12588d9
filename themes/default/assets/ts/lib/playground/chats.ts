// Conversations: what was said and answered, its branches, and the requests that come of it.
import { type Attachment, type ContentPart, partOf } from "./attachments";

export interface Usage {
  prompt: number;
  cached: number;
  completion: number;
}

/** A function that a model wants called; result: what the person answered for it. */
export interface ToolCall {
  id: string;
  name: string;
  /** JSON, as the model wrote it. */
  arguments: string;
  result?: string;
}

/** What a model says at once; calls end it, and it goes on when they are answered. */
export interface Round {
  text: string;
  reasoning: string;
  calls?: ToolCall[];
}

/**
 * An answer of one model. before: its rounds until the calls that were answered last. firstMs, totalMs: from the
 * question on; error: what was said instead of an answer.
 */
export interface Answer extends Round {
  model: string;
  before?: Round[];
  usage?: Usage;
  firstMs?: number;
  totalMs?: number;
  finish?: string;
  error?: string;
  /** The gateway's word for that. */
  code?: string;
  /** What the person thinks of it. */
  opinion?: "good" | "bad";
}

/** Ways on from one place, of which the one at `now` is what the conversation shows; its own entry is empty. */
export interface Fork {
  tails: Turn[][];
  now: number;
}

/** A question, and what each column answered. fork: ways on after it; vote: see votes.ts. */
export interface Turn {
  user: string;
  files?: Attachment[];
  answers: (Answer | null)[];
  vote?: string;
  fork?: Fork;
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
  /** Ways to begin. */
  fork?: Fork;
  /** Who answers is not shown before the person has voted. */
  isBlind?: boolean;
}

export const MOST_COLUMNS = 4;

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

// Branches. The fork at a place belongs to what stands before it, which all ways on have in common.

const ownerOf = (chat: Chat, at: number): Chat | Turn | undefined => (at ? chat.turns[at - 1] : chat);

/** The fork whose ways begin with the turn at a place. */
export const forkAt = (chat: Chat, at: number): Fork | undefined => ownerOf(chat, at)?.fork;

/** Begin another way on with that turn; the one that was shown stays to be gone back to. */
export function branch(chat: Chat, at: number, turn: Turn): void {
  const owner = ownerOf(chat, at);
  if (!owner) return;
  owner.fork ??= { tails: [[]], now: 0 };
  owner.fork.tails[owner.fork.now] = chat.turns.splice(at, Infinity, turn);
  owner.fork.now = owner.fork.tails.push([]) - 1;
}

/** Show another of the ways on from a place. */
export function goTo(chat: Chat, at: number, way: number): void {
  const fork = forkAt(chat, at);
  const tail = fork?.tails[way];
  if (!fork || !tail || way === fork.now) return;
  fork.tails[fork.now] = chat.turns.splice(at, Infinity, ...tail);
  fork.tails[way] = [];
  fork.now = way;
}

/** Every turn of every way. */
export function* allTurns(chat: Chat): Generator<Turn> {
  const tails = (owner: Chat | Turn) => owner.fork?.tails ?? [];
  const pending = [chat.turns, ...tails(chat)];
  for (let turns = pending.pop(); turns; turns = pending.pop()) {
    for (const turn of turns) {
      yield turn;
      pending.push(...tails(turn));
    }
  }
}

/** Take a column out of all that was said. */
export function removeColumn(chat: Chat, place: number): void {
  chat.models.splice(place, 1);
  for (const turn of allTurns(chat)) turn.answers.splice(place, 1);
}

// Requests

/** Thoughts that a model puts before its answer, between <think> and </think>, and the answer. */
export function splitThought(words: string): [string, string] {
  const found = /^\s*<think>([\s\S]*?)(?:<\/think>\s*|$)/.exec(words);
  return found ? [found[1] ?? "", words.slice(found[0].length)] : ["", words];
}

export interface Message {
  role: string;
  content: string | ContentPart[] | null;
  tool_calls?: { id: string; type: "function"; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

/** A question with its files: in words alone where that says it, for models that know nothing else. */
function contentOf(turn: Turn): string | ContentPart[] {
  const parts = (turn.files ?? []).map(partOf);
  if (turn.user || !parts.length) parts.push({ type: "text", text: turn.user });
  return parts.every((part) => part.type === "text") ? parts.map((part) => part.text).join("\n\n") : parts;
}

function roundOf({ text, calls }: Round): Message[] {
  const [, words] = splitThought(text);
  if (!calls?.length) return words ? [{ role: "assistant", content: words }] : [];
  const tool_calls = calls.map((call) => ({
    id: call.id,
    type: "function" as const,
    function: { name: call.name, arguments: call.arguments },
  }));
  return [
    { role: "assistant", content: words || null, tool_calls },
    ...calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: call.result ?? "" })),
  ];
}

/** What a column's model is sent: the system's words, what was said before, and the question of a turn. */
export function messagesOf(chat: Chat, column: number, last = chat.turns.length - 1): Message[] {
  const messages: Message[] = chat.system.trim() ? [{ role: "system", content: chat.system }] : [];
  for (const [place, turn] of chat.turns.slice(0, last + 1).entries()) {
    messages.push({ role: "user", content: contentOf(turn) });
    const answer = turn.answers[column];
    if (!answer) continue;
    messages.push(...(answer.before ?? []).flatMap(roundOf));
    if (place < last) messages.push(...roundOf(answer));
  }
  return messages;
}

const NUMBERS = ["temperature", "top_p", "top_k", "max_tokens", "seed"];

/** A field of the form holds something other than the JSON that belongs there. */
export class NotJson extends Error {
  constructor(readonly field: "schema" | "tools") {
    super(field);
  }
}

function read(parameters: Parameters, field: "schema" | "tools", fallback: string): unknown {
  try {
    return JSON.parse(parameters[field]?.trim() || fallback);
  } catch {
    throw new NotJson(field);
  }
}

/** Tools as requests have them, of a list of these or of plain functions. */
function toolsOf(parameters: Parameters): unknown[] {
  const found = read(parameters, "tools", "[]");
  const list = Array.isArray(found) ? found : [found];
  return list.map((one: Record<string, unknown> | null) => {
    const tool = one?.["function"] ? one : { type: "function", function: one };
    if (typeof (tool["function"] as Record<string, unknown> | null)?.["name"] !== "string") throw new NotJson("tools");
    return tool;
  });
}

/** The members of a request that the form's parameters stand for. Raises NotJson. */
export function requestOf(parameters: Parameters): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  for (const name of NUMBERS) if (parameters[name]) members[name] = Number(parameters[name]);
  const stops = (parameters["stop"] ?? "").split("\n").filter(Boolean);
  if (stops.length) members["stop"] = stops;
  const format = parameters["response_format"];
  if (format === "json_object") members["response_format"] = { type: format };
  if (format === "json_schema") {
    const schema = read(parameters, "schema", "{}");
    members["response_format"] = { type: format, json_schema: { name: "answer", schema } };
  }
  const tools = toolsOf(parameters);
  if (tools.length) members["tools"] = tools;
  return members;
}
