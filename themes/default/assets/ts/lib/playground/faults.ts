// What the gateway answered instead, what can be done about it, and how a model that sleeps is woken.
import { ApiError, call } from "../api";
import { make } from "../dom";
import { text } from "../texts";
import { NotJson } from "./chats";

/** An error in words, and its code. */
export function faultOf(error: unknown): { error: string; code: string } {
  if (error instanceof NotJson) {
    const words =
      error.field === "tools"
        ? text("The tools are no JSON that requests can have.")
        : text("The schema of the answer is no JSON.");
    return { error: words, code: error.field };
  }
  if (!(error instanceof ApiError)) return { error: error instanceof Error ? error.message : String(error), code: "" };
  const seconds = error.context["retryAfter"];
  const later =
    seconds && error.code !== "model_not_running"
      ? text("Try again in {seconds} s.", { seconds: String(seconds) })
      : "";
  const words = [error.message, later, error.code && `(${error.code})`].filter(Boolean).join(" ");
  const trace = error.traceId && `${text("Request")} ${error.traceId}`;
  return { error: [words, trace].filter(Boolean).join("\n"), code: error.code };
}

export interface Places {
  /** Tells how a model's deployment stands, and wakes it. */
  readiness: string;
  /** The person's keys, with their limits and budgets. */
  keys: string;
}

const KEYS = new Set(["invalid_api_key", "api_key_expired", "api_key_disabled", "insufficient_permissions"]);
const MONEY = new Set(["budget_exceeded", "insufficient_balance", "insufficient_quota"]);
const ASLEEP = "model_not_running";
const LOOK_EVERY_MS = 1000;
const PATIENCE_MS = 15 * 60_000;

interface State {
  status: string;
  message: string;
  is_ready: boolean;
  has_failed: boolean;
}

/** Wake it and wait. tell: how that goes. Raises ApiError, Error. */
async function wake(model: string, places: Places, tell: (words: string) => void): Promise<void> {
  const began = Date.now();
  const url = `${places.readiness}?model=${encodeURIComponent(model)}`;
  let state = await call<State>(url, { method: "POST" });
  while (!state.is_ready && Date.now() - began < PATIENCE_MS) {
    await new Promise((go) => setTimeout(go, LOOK_EVERY_MS));
    state = await call<State>(url);
    if (state.has_failed) throw new Error(state.message || state.status);
    const seconds = Math.round((Date.now() - began) / 1000);
    tell(text("{state}, for {seconds} s", { state: state.status, seconds }));
  }
}

/** What can be done about a fault. again: asks once more. */
export function drawWaysOut(code: string, model: string, places: Places, again: () => void): HTMLElement[] {
  if (KEYS.has(code)) return [make("a", { class: "button tiny", href: places.keys }, text("Your keys"))];
  if (MONEY.has(code)) return [make("a", { class: "button tiny", href: places.keys }, text("Your budgets"))];
  if (code !== ASLEEP) return [];
  const button = make(
    "button",
    { type: "button", class: "button tiny", "data-testid": "playground.wake" },
    text("Wake it and ask again"),
  );
  const told = make("span", { class: "small", role: "status", "data-testid": "playground.waking" });
  button.addEventListener("click", () => {
    button.disabled = true;
    told.textContent = text("It wakes up …");
    wake(model, places, (words) => {
      told.textContent = words;
    }).then(again, (error: unknown) => {
      button.disabled = false;
      // It may be a provider's, of which the hub can only ask once more.
      if (error instanceof ApiError && error.code === "model_not_found") again();
      else told.textContent = faultOf(error).error;
    });
  });
  return [button, told];
}
