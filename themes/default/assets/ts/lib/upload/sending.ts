// Sending bytes: with progress, and again when the network fails, for as long as it takes.
import { ApiError, type Call, call } from "../api";
import { text } from "../texts";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** How often a server may answer that it cannot, one time after the other. */
const MAX_REFUSALS = 8;

/** A store's answer that a repetition of the same request does not mend: its address may have expired. */
export class Refused extends Error {
  constructor(readonly status: number) {
    super(text("The storage refused a part of the file ({status}).", { status }));
  }
}

export const aborted = (): DOMException => new DOMException("paused", "AbortError");

/** Wait, or until the network is back; reject when the signal says so. */
function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (run: () => void) => () => {
      clearTimeout(timer);
      window.removeEventListener("online", onOnline);
      signal.removeEventListener("abort", onAbort);
      run();
    };
    const onOnline = end(resolve);
    const onAbort = end(() => reject(aborted()));
    const timer = setTimeout(end(resolve), ms);
    window.addEventListener("online", onOnline);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  });
}

/** Run until it works: what the network or a busy server did is waited out. */
export async function persist<T>(
  run: () => Promise<T>,
  signal: AbortSignal,
  waits: (isWaiting: boolean) => void,
): Promise<T> {
  let refusals = 0;
  for (let turn = 0; ; turn++) {
    if (signal.aborted) throw aborted();
    try {
      const result = await run();
      waits(false);
      return result;
    } catch (error) {
      if (signal.aborted) throw aborted();
      const status = error instanceof ApiError || error instanceof Refused ? error.status : -1;
      const isBusy = status >= 500 || status === 429 || status === 408;
      if (status !== 0 && !(isBusy && ++refusals < MAX_REFUSALS)) throw error;
      waits(true);
      const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** turn);
      await rest(longest * (0.5 + Math.random() / 2), signal);
    }
  }
}

/** A call of the API, as `persist`. */
export const callOften = <T>(
  url: string,
  how: Call,
  signal: AbortSignal,
  waits: (isWaiting: boolean) => void,
): Promise<T> => persist(() => call<T>(url, { ...how, signal }), signal, waits);

/** PUT bytes to an address; resolves when it was answered with success. Raises Refused, its status 0 for no answer. */
export function put(url: string, body: Blob, signal: AbortSignal, progress: (bytes: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const onAbort = () => request.abort();
    const end = (run: () => void) => () => {
      signal.removeEventListener("abort", onAbort);
      run();
    };
    request.upload.addEventListener("progress", (event) => progress(event.loaded));
    request.addEventListener(
      "load",
      end(() => (request.status < 300 ? resolve() : reject(new Refused(request.status)))),
    );
    request.addEventListener(
      "error",
      end(() => reject(new Refused(0))),
    );
    request.addEventListener(
      "abort",
      end(() => reject(aborted())),
    );
    request.open("PUT", url);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) reject(aborted());
    else request.send(body);
  });
}

/** POST a long body to the API with progress. Raises ApiError. */
export function post<T>(
  url: string,
  body: Blob,
  type: string,
  signal: AbortSignal,
  progress: (bytes: number) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const onAbort = () => request.abort();
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => progress(event.loaded));
    request.addEventListener("loadend", () => signal.removeEventListener("abort", onAbort));
    request.addEventListener("load", () => {
      const answer = request.response ?? {};
      if (request.status < 300) resolve(answer.data as T);
      else
        reject(
          new ApiError(
            answer.msg ?? String(request.status),
            request.status,
            answer.code ?? "",
            answer.trace_id ?? request.getResponseHeader("X-Request-ID") ?? "",
            answer.context ?? {},
          ),
        );
    });
    const offline = text("The hub cannot be reached. Check the connection and try again.");
    request.addEventListener("error", () => reject(new ApiError(offline, 0, "offline", "", {})));
    request.addEventListener("abort", () => reject(aborted()));
    request.open("POST", url);
    request.setRequestHeader("Content-Type", type);
    request.setRequestHeader("Accept", "application/json");
    const csrf = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
    request.setRequestHeader("X-CSRF-Token", csrf);
    signal.addEventListener("abort", onAbort);
    request.send(body);
  });
}

/** Do something with each, at most so many at once; the first that rejects ends it. */
export async function inParallel<T>(items: Iterable<T>, width: number, run: (item: T) => Promise<void>): Promise<void> {
  const left = items[Symbol.iterator]();
  const work = async () => {
    for (let next = left.next(); !next.done; next = left.next()) await run(next.value);
  };
  await Promise.all(Array.from({ length: width }, work));
}
