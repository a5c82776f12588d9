// How an answer looks: its words as they come, as Markdown once they are whole, and what they took.
import { csrf } from "../api";
import { language, text } from "../texts";
import type { Answer, Usage } from "./chats";

export interface Model {
  name: string;
  about: string;
  task: string;
  is_ready: boolean;
  /** A call wakes it, and waits for it. */
  is_asleep: boolean;
  /** For a million tokens; null where nothing is charged. */
  prices: { input: number; cached: number; output: number } | null;
}

/** What an answer cost, in the hub's currency. */
export function costOf(usage: Usage, prices: NonNullable<Model["prices"]>): number {
  const plain = usage.prompt - usage.cached;
  return (plain * prices.input + usage.cached * prices.cached + usage.completion * prices.output) / 1e6;
}

function money(amount: number, currency: string): string {
  try {
    return amount.toLocaleString(language, { style: "currency", currency, maximumFractionDigits: 6 });
  } catch {
    return `${amount.toLocaleString(language, { maximumFractionDigits: 6 })} ${currency}`;
  }
}

const number = (value: number, digits = 0): string =>
  value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: digits });

/** What it took, in a line. */
export function statsOf(answer: Answer, prices: Model["prices"], currency: string): string {
  const parts: string[] = [];
  const { usage, firstMs, totalMs } = answer;
  if (usage) {
    const [prompt, completion] = [number(usage.prompt), number(usage.completion)];
    parts.push(
      usage.completion
        ? text("{prompt} + {completion} tokens", { prompt, completion })
        : text("{count} tokens", { count: prompt }),
    );
    if (prices) parts.push(money(costOf(usage, prices), currency));
  }
  if (firstMs !== undefined) parts.push(text("first after {seconds} s", { seconds: number(firstMs / 1000, 2) }));
  if (totalMs !== undefined) {
    parts.push(text("{seconds} s", { seconds: number(totalMs / 1000, 1) }));
    const writing = totalMs - (firstMs ?? 0);
    if (usage?.completion && writing > 0) {
      parts.push(text("{count} tokens/s", { count: number((usage.completion * 1000) / writing, 1) }));
    }
  }
  if (answer.finish === "length") parts.push(text("cut at the limit"));
  if (answer.finish === "stopped") parts.push(text("stopped"));
  return parts.join(" · ");
}

// One after the other: a long conversation is opened at once, and becomes pretty from its end on.
let queue = Promise.resolve();

/** Let the hub render it as it does cards, safe and without what scripts could do. */
export function renderMarkdown(place: HTMLElement, words: string): void {
  place.textContent = words;
  if (!words.trim()) return;
  queue = queue.then(async () => {
    if (!place.isConnected || place.dataset["words"] !== words) return;
    const values = { text: words, base: "", breaks: "" };
    const headers = { "X-CSRF-Token": csrf() };
    await window.htmx.ajax("post", "/-/preview", { target: place, swap: "innerHTML", values, headers }).catch(() => {});
    place.classList.add("is-rendered");
  });
  place.dataset["words"] = words;
  place.classList.remove("is-rendered");
}

/** Words that still come: as they are. */
export function showPlain(place: HTMLElement, words: string): void {
  place.dataset["words"] = "";
  place.classList.remove("is-rendered");
  place.textContent = words;
}
