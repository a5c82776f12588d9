// Which of several answers is the best: a vote for each question, and how the models stand by all of them.
import { make } from "../dom";
import { text } from "../texts";
import { allTurns, type Chat } from "./chats";

/** A turn's vote is the name of the model that was better, or one of these. */
export const ALL_GOOD = "=";
export const NONE_GOOD = "-";

const LETTERS = "ABCD";

/** What a column is called whose model is not told. */
export const letterOf = (place: number): string => text("Model {letter}", { letter: LETTERS[place] ?? "" });

/** Whether the person has voted on anything yet: from then on they know who is who. */
export function isRevealed(chat: Chat): boolean {
  for (const turn of allTurns(chat)) if (turn.vote) return true;
  return false;
}

/** Whether it is not told yet whose answers these are. */
export const isHidden = (chat: Chat): boolean => Boolean(chat.isBlind) && !isRevealed(chat);

/** One vote: what it says, and which models it was about. */
export interface Vote {
  word: string;
  models: string[];
}

/** The votes that were given in a conversation. */
export function votesOf(chat: Chat): Vote[] {
  return [...allTurns(chat)].flatMap(({ vote: word, answers }) =>
    word ? [{ word, models: [...new Set(answers.flatMap((answer) => answer?.model ?? []))] }] : [],
  );
}

/** Names in an order that tells nothing. */
export function shuffled(names: string[]): string[] {
  const left = [...names];
  const found: string[] = [];
  while (left.length) {
    const [place = 0] = crypto.getRandomValues(new Uint32Array(1));
    found.push(...left.splice(place % left.length, 1));
  }
  return found;
}

interface Standing {
  model: string;
  won: number;
  of: number;
}

/** How often each model was the better one, of the votes that it was up for, the best first. */
export function standingsOf(votes: Iterable<Vote>): Standing[] {
  const found = new Map<string, Standing>();
  for (const { word, models } of votes) {
    for (const model of models) {
      const standing = found.get(model) ?? { model, won: 0, of: 0 };
      standing.of += 1;
      if (word === model) standing.won += 1;
      found.set(model, standing);
    }
  }
  const share = (one: Standing) => one.won / one.of;
  return [...found.values()].sort((one, other) => share(other) - share(one) || one.model.localeCompare(other.model));
}

/** The standings as lines of a list. */
export function drawStandings(standings: Standing[]): HTMLElement[] {
  if (!standings.length) return [make("li", { class: "quiet" }, text("Nobody has voted yet."))];
  return standings.map(({ model, won, of }) => {
    const words = text("{won} of {of} votes", { won, of });
    return make(
      "li",
      { "data-testid": "playground.standing" },
      make("b", {}, model),
      " ",
      make("span", { class: "quiet small" }, words),
    );
  });
}

/** The buttons of a vote. names: how the columns are called; chosen: the vote that was given. */
export function drawVote(chat: Chat, chosen: string | undefined, vote: (word: string) => void): HTMLElement[] {
  const choices: [string, string][] = chat.models.map((model, place) => [
    model,
    text("{model} is better", { model: chat.isBlind ? letterOf(place) : model }),
  ]);
  choices.push([ALL_GOOD, text("Equally good")], [NONE_GOOD, text("None is good")]);
  const buttons = choices.map(([word, label]) => {
    const looks = { type: "button", class: "button tiny", "aria-pressed": String(word === chosen) };
    const button = make("button", { ...looks, "data-testid": "playground.vote" }, label);
    button.addEventListener("click", () => vote(word));
    return button;
  });
  const words = isHidden(chat)
    ? text("Which answer is better? Then you see whose it is.")
    : text("Which answer is better?");
  return [make("span", { class: "quiet small" }, words), ...buttons];
}
