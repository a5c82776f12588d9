// Calls of the gateway: answers that come whole, and those that come piece by piece.
import { ApiError, csrf, renewCsrf } from "../api";
import { text } from "../texts";
import type { Usage } from "./chats";
import type { CallPiece } from "./tools";

/** Something of an answer. */
export interface Heard {
  text?: string;
  reasoning?: string;
  calls?: CallPiece[];
  usage?: Usage;
  finish?: string;
}

interface Said {
  content?: string | null;
  reasoning_content?: string | null;
  reasoning?: string | null;
  tool_calls?: CallPiece[] | null;
}

interface Chunk {
  error?: { message?: string; code?: string };
  choices?: { delta?: Said; message?: Said; text?: string; finish_reason?: string | null }[];
  usage?: UsageSaid | null;
}

export interface UsageSaid {
  prompt_tokens?: number;
  completion_tokens?: number;
  total_tokens?: number;
  prompt_tokens_details?: { cached_tokens?: number } | null;
}

/** The tokens of a call, as OpenAI's answers count them. */
export function usageOf(said: UsageSaid): Usage {
  return {
    prompt: said.prompt_tokens ?? said.total_tokens ?? 0,
    cached: said.prompt_tokens_details?.cached_tokens ?? 0,
    completion: said.completion_tokens ?? 0,
  };
}

function heardOf(chunk: Chunk): Heard {
  if (chunk.error) throw new ApiError(chunk.error.message ?? "", 502, chunk.error.code ?? "", "", {});
  const heard: Heard = {};
  const choice = chunk.choices?.[0];
  const said = choice?.delta ?? choice?.message;
  const words = said?.content ?? choice?.text;
  if (words) heard.text = words;
  const thought = said?.reasoning_content ?? said?.reasoning;
  if (thought) heard.reasoning = thought;
  if (said?.tool_calls?.length) heard.calls = said.tool_calls;
  if (choice?.finish_reason) heard.finish = choice.finish_reason;
  if (chunk.usage) heard.usage = usageOf(chunk.usage);
  return heard;
}

async function send(url: string, body: string | FormData, signal: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json", "X-CSRF-Token": csrf() };
  if (typeof body === "string") headers["Content-Type"] = "application/json";
  try {
    return await fetch(url, { method: "POST", headers, body, signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiError(text("The hub cannot be reached. Check the connection and try again."), 0, "offline", "", {});
  }
}

async function faultOf(answer: Response): Promise<ApiError> {
  // The gateway's shape, or the hub's own.
  const told = await answer.json().catch(() => ({}));
  const message: string = told.error?.message ?? told.msg ?? answer.statusText;
  const trace = answer.headers.get("X-Request-ID") ?? "";
  const retryAfter = answer.headers.get("Retry-After");
  return new ApiError(message, answer.status, told.error?.code ?? told.code ?? "", trace, { retryAfter });
}

/** The answer of a route, when it is one. Raises ApiError; what the signal's abort raises. */
export async function ask(url: string, members: object | FormData, signal: AbortSignal): Promise<Response> {
  const body = members instanceof FormData ? members : JSON.stringify(members);
  const answer = await send(url, body, signal);
  if (answer.ok) return answer;
  const fault = await faultOf(answer);
  if (fault.code !== "csrf_failed" || !(await renewCsrf())) throw fault;
  const second = await send(url, body, signal);
  if (!second.ok) throw await faultOf(second);
  return second;
}

/** Ask, and tell what is heard until the answer has ended. Raises ApiError; what the signal's abort raises. */
export async function streamChat(
  url: string,
  members: Record<string, unknown>,
  signal: AbortSignal,
  hear: (heard: Heard) => void,
): Promise<void> {
  const answer = await ask(url, { ...members, stream: true, stream_options: { include_usage: true } }, signal);
  if (!answer.headers.get("Content-Type")?.includes("event-stream")) {
    hear(heardOf((await answer.json()) as Chunk));
    return;
  }
  const pieces = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const piece = await pieces?.read();
    if (!piece || piece.done) throw new ApiError(text("The answer ended early."), 0, "incomplete", "", {});
    const events = (rest + piece.value).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      const data = event
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trim())
        .join("\n");
      if (data === "[DONE]") return;
      if (data) hear(heardOf(JSON.parse(data) as Chunk));
    }
  }
}
