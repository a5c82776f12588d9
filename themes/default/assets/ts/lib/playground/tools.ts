// Functions that a model wants called: shown with their arguments, and answered by the person.
import { make } from "../dom";
import { text } from "../texts";
import type { Round, ToolCall } from "./chats";

/** JSON in lines; as it is where it is none yet. */
function pretty(words: string): string {
  try {
    return JSON.stringify(JSON.parse(words), null, 2);
  } catch {
    return words;
  }
}

let made = 0;

function drawCall(call: ToolCall, isOpen: boolean): HTMLElement {
  const id = `tool-result-${++made}`;
  const box = make("div", { class: "tool-call stack", "data-testid": "playground.call" });
  box.append(make("div", { class: "mono small" }, make("b", {}, call.name)));
  box.append(make("pre", { class: "small", tabindex: "0" }, pretty(call.arguments)));
  if (isOpen) {
    const label = make("label", { for: id }, text("What {name} answers", { name: call.name }));
    const field = make("textarea", { id, rows: "2", class: "mono", spellcheck: "false" });
    field.dataset["testid"] = "playground.call-result";
    field.value = call.result ?? "";
    field.addEventListener("input", () => {
      call.result = field.value;
    });
    box.append(make("div", { class: "field" }, label, field));
  } else if (call.result !== undefined) {
    box.append(make("pre", { class: "small quiet", tabindex: "0" }, call.result));
  }
  return box;
}

/** The calls of a round; goOn: what happens once the person has answered them, none: they are answered already. */
export function drawCalls(round: Round, goOn?: () => void): HTMLElement[] {
  const boxes = (round.calls ?? []).map((call) => drawCall(call, Boolean(goOn)));
  if (!goOn || !boxes.length) return boxes;
  const words = make(
    "p",
    { class: "quiet small" },
    text("The model wants these functions called. Nothing is run: what they answer is yours to say."),
  );
  const button = make(
    "button",
    { class: "button primary tiny", "data-testid": "playground.calls-send" },
    text("Go on with these answers"),
  );
  const form = make("form", { class: "stack" }, words, ...boxes, make("div", {}, button));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    for (const call of round.calls ?? []) call.result ??= "";
    goOn();
  });
  return [form];
}

/** Take a piece of calls as a stream brings it: names and ids once, arguments bit by bit. */
export function addCalls(round: Round, pieces: CallPiece[]): void {
  const calls = (round.calls ??= []);
  for (const [place, piece] of pieces.entries()) {
    const at = piece.index ?? place;
    const call = (calls[at] ??= { id: "", name: "", arguments: "" });
    if (piece.id) call.id = piece.id;
    call.name += piece.function?.name ?? "";
    call.arguments += piece.function?.arguments ?? "";
  }
}

export interface CallPiece {
  index?: number;
  id?: string | null;
  function?: { name?: string | null; arguments?: string | null };
}
