// Calls of the REST API in the name of who is signed in.
import { text } from "./texts";

/** What the API answered instead of what was asked for. Its message is for people. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly traceId: string,
    readonly context: Record<string, unknown>,
  ) {
    super(message);
  }

  /** The hub's own word for it, where `code` is the platform's, which means several things. */
  get reason(): string {
    return String(this.context["reason"] ?? this.code);
  }
}

export interface Call {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** The same key for the same deed: sent again, it happens once. */
  key?: string;
}

const meta = (root: Document = document) => root.querySelector<HTMLMetaElement>('meta[name="csrf-token"]');
/** The word that writes of this session carry. */
export const csrf = (): string => meta()?.content ?? "";

/** Take over the session of who signed in again in another window: this page still has the word of the ended one. */
export async function renewCsrf(): Promise<boolean> {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = meta(page)?.content;
  const nameIn = (root: Document) => root.querySelector<HTMLMetaElement>('meta[name="viewer"]')?.content ?? "";
  // What was written in one name is not sent in another.
  if (!fresh || fresh === csrf() || (nameIn(document) && nameIn(page) !== nameIn(document))) return false;
  let own = meta();
  if (!own) {
    own = document.createElement("meta");
    own.name = "csrf-token";
    document.head.append(own);
  }
  own.content = fresh;
  return true;
}

/** Send a request; return the answer's `data`, or the whole body where it has none. Raises ApiError. */
export async function call<T = unknown>(
  url: string,
  { method = "GET", body, headers, signal, key }: Call = {},
): Promise<T> {
  return (await callWhole<{ data?: T }>(url, {
    method,
    body,
    ...(headers && { headers }),
    ...(signal && { signal }),
    ...(key && { key }),
  }).then((answer) => (answer && typeof answer === "object" && "data" in answer ? answer.data : answer))) as T;
}

/** As `call`, with the envelope: `{msg, data, total}`. */
export async function callWhole<T = unknown>(
  url: string,
  { method = "GET", body, headers, signal, key }: Call = {},
  isRepeated = false,
): Promise<T> {
  const sent: Record<string, string> = { Accept: "application/json", ...headers };
  let payload: BodyInit | undefined;
  if (body instanceof FormData || body instanceof Blob) payload = body;
  else if (body !== undefined) {
    payload = JSON.stringify(body);
    sent["Content-Type"] = "application/json";
  }
  if (method !== "GET") sent["X-CSRF-Token"] = csrf();
  if (method === "POST" && key) sent["Idempotency-Key"] = key;
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers: sent,
      ...(payload !== undefined && { body: payload }),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(text("The hub cannot be reached. Check the connection and try again."), 0, "offline", "", {});
  }
  const answer = response.headers.get("Content-Type")?.includes("json") ? await response.json() : undefined;
  if (response.ok) return answer as T;
  if (answer?.code === "csrf_failed" && !isRepeated && (await renewCsrf())) {
    return callWhole<T>(
      url,
      { method, body, ...(headers && { headers }), ...(signal && { signal }), ...(key && { key }) },
      true,
    );
  }
  throw new ApiError(
    answer?.msg || response.statusText || String(response.status),
    response.status,
    answer?.code ?? "",
    answer?.trace_id ?? response.headers.get("X-Request-ID") ?? "",
    answer?.context ?? {},
  );
}
