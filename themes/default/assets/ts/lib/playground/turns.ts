// A question and its answer as they stand in a column.
import { make } from "../dom";
import { text } from "../texts";
import { type Model, renderMarkdown, showPlain, statsOf } from "./answers";
import { drawFile } from "./attachments";
import { type Answer, type Chat, forkAt, type Round, splitThought } from "./chats";
import { drawWaysOut, type Places } from "./faults";
import { drawCalls } from "./tools";
import { letterOf } from "./votes";

/** What a turn's buttons do. */
export interface Deeds {
  edit(at: number, words: string): void;
  retry(at: number, place: number): void;
  goOn(at: number, place: number): void;
  goTo(at: number, way: number): void;
  keep(): void;
}

export interface Surroundings {
  models: Map<string, Model>;
  currency: string;
  places: Places;
  deeds: Deeds;
  /** Whether it is not told yet whose answers these are. */
  isHidden(): boolean;
}

/** A copy of what a <template> holds. */
export const copyOf = (name: string): HTMLElement =>
  document.querySelector<HTMLTemplateElement>(`#${name}`)?.content.firstElementChild?.cloneNode(true) as HTMLElement;

/** The part of an element that is called so. */
export const within = <E extends HTMLElement>(element: Element, name: string): E =>
  element.querySelector(`[data-${name}]`) as E;

function edit(element: HTMLElement, words: string, send: (words: string) => void): void {
  const form = copyOf("edit-template") as HTMLFormElement;
  const field = within<HTMLTextAreaElement>(form, "words");
  field.value = words;
  const shown = within(element, "user-box");
  shown.hidden = true;
  shown.after(form);
  field.focus();
  const leave = () => {
    form.remove();
    shown.hidden = false;
    within(element, "edit").focus();
  };
  within(form, "leave").addEventListener("click", leave);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim()) send(field.value);
  });
}

/** The ways on that begin here, of which one is shown. */
function drawWays(element: HTMLElement, chat: Chat, at: number, deeds: Deeds): void {
  const fork = forkAt(chat, at);
  const ways = within(element, "ways");
  ways.hidden = !fork || fork.tails.length < 2;
  if (!fork) return;
  within(ways, "way").textContent = `${fork.now + 1} / ${fork.tails.length}`;
  for (const [name, step] of [
    ["way-back", -1],
    ["way-on", 1],
  ] as const) {
    const button = within<HTMLButtonElement>(ways, name);
    button.disabled = !fork.tails[fork.now + step];
    button.addEventListener("click", () => deeds.goTo(at, fork.now + step));
  }
}

/** The turn at a place, in a column. */
export function drawTurn(chat: Chat, at: number, place: number, around: Surroundings): HTMLElement {
  const { deeds } = around;
  const element = copyOf("turn-template");
  const turn = chat.turns[at];
  const words = turn?.user ?? "";
  within(element, "user").append(words, ...(turn?.files ?? []).map((file) => drawFile(file)));
  within(element, "copy-user").dataset["copy"] = words;
  within(element, "edit").addEventListener("click", () => edit(element, words, (other) => deeds.edit(at, other)));
  within(element, "retry").addEventListener("click", () => deeds.retry(at, place));
  drawWays(element, chat, at, deeds);
  for (const opinion of ["good", "bad"] as const) {
    within(element, opinion).addEventListener("click", () => {
      const answer = chat.turns[at]?.answers[place];
      if (!answer) return;
      if (answer.opinion === opinion) delete answer.opinion;
      else answer.opinion = opinion;
      drawOpinion(element, answer);
      deeds.keep();
    });
  }
  drawAnswer(element, chat, at, place, around, false);
  return element;
}

function drawOpinion(element: HTMLElement, answer: Answer | null): void {
  for (const opinion of ["good", "bad"]) {
    within(element, opinion).setAttribute("aria-pressed", String(answer?.opinion === opinion));
  }
}

/** A round that is over: what was said, and the calls with what was answered. */
function drawRound(round: Round): HTMLElement[] {
  const [, words] = splitThought(round.text);
  const said = make("div", { class: "reply" });
  if (words) renderMarkdown(said, words);
  return [...(words ? [said] : []), ...drawCalls(round)];
}

/** Draw an answer as it stands now. isComing: there is more on its way. */
export function drawAnswer(
  element: HTMLElement,
  chat: Chat,
  at: number,
  column: number,
  { models, currency, places, deeds, isHidden }: Surroundings,
  isComing: boolean,
): void {
  const answer = chat.turns[at]?.answers[column] ?? null;
  const place = within(element, "text");
  const [before, words] = splitThought(answer?.text ?? "");
  const thought = [answer?.reasoning, before].filter(Boolean).join("\n");
  within(element, "thought-box").hidden = !thought;
  within(element, "thought").textContent = thought;
  element.setAttribute("aria-busy", String(isComing));
  const rounds = within(element, "rounds");
  if (rounds.dataset["count"] !== String(answer?.before?.length ?? 0)) {
    rounds.dataset["count"] = String(answer?.before?.length ?? 0);
    rounds.replaceChildren(...(answer?.before ?? []).flatMap(drawRound));
  }
  if (isComing) showPlain(place, words);
  else if (place.dataset["words"] !== words) renderMarkdown(place, words);
  const isLast = at === chat.turns.length - 1;
  const waits = !isComing && isLast && !answer?.error;
  const goOn = waits ? () => deeds.goOn(at, column) : undefined;
  within(element, "calls").replaceChildren(...(answer ? drawCalls(answer, isComing ? undefined : goOn) : []));
  within(element, "error").hidden = !answer?.error;
  const fault = answer?.error ?? "";
  within(element, "error-words").textContent =
    answer && isHidden() ? fault.replaceAll(answer.model, letterOf(column)) : fault;
  const ways = answer?.error ? drawWaysOut(answer.code ?? "", answer.model, places, () => deeds.goOn(at, column)) : [];
  within(element, "ways-out").replaceChildren(...ways);
  const model = answer ? models.get(answer.model) : undefined;
  within(element, "stats").textContent = answer
    ? isComing && !answer.text && !answer.reasoning && !answer.calls
      ? text("waits for the first word …")
      : isHidden()
        ? ""
        : statsOf(answer, model?.prices ?? null, currency)
    : "";
  within(element, "tools").hidden = isComing || !answer;
  within(element, "copy-answer").dataset["copy"] = words;
  drawOpinion(element, answer);
}
