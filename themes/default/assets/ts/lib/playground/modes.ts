// What the playground tries beside chats: what is asked for, how an answer looks, and the same as code.
import { icon, make } from "../dom";
import { language, text } from "../texts";
import type { Sample } from "./code";

export type Json = Record<string, unknown>;

/** An answer that has come. */
export interface Came {
  asked: Json;
  data: Json;
  /** Where it is no JSON. */
  blob?: Blob;
}

/** sample: the call as code, without its body; an answer that streams is drawn as it comes. */
export interface Mode {
  route: string;
  streams?: boolean;
  sample: Pick<Sample, "sdk" | "python" | "javascript" | "into">;
  draw(came: Came): HTMLElement[];
}

const number = (value: number, digits: number) =>
  value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });

const listOf = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

function lengthOf(vector: number[]): number {
  return Math.sqrt(vector.reduce((sum, one) => sum + one * one, 0));
}

/** How alike two vectors are: 1 when they point the same way. */
export function likeness(one: number[], other: number[]): number {
  const product = one.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
  return product / (lengthOf(one) * lengthOf(other) || 1);
}

function drawVectors({ asked, data }: Came): HTMLElement[] {
  const words = [asked["input"]].flat().map(String);
  const vectors = listOf(data["data"]).map((one) =>
    Array.isArray(one["embedding"]) ? (one["embedding"] as number[]) : [],
  );
  const about = text("{count} vectors of {size} numbers", { count: vectors.length, size: vectors[0]?.length ?? 0 });
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, text("Text")),
    ...vectors.map((_, at) => make("th", { scope: "col", class: "number" }, String(at + 1))),
  );
  const rows = vectors.map((vector, at) => {
    const cells = vectors.map((other) => make("td", { class: "number" }, number(likeness(vector, other), 2)));
    const title = make("th", { scope: "row" }, `${at + 1}. ${words[at] ?? ""}`);
    return make("tr", { "data-testid": "playground.vector" }, title, ...cells);
  });
  const caption = make(
    "caption",
    { class: "quiet small" },
    text("How alike they are: 1 is the same, 0 has nothing to do with it."),
  );
  const table = make("table", { class: "table" }, caption, make("thead", {}, head), make("tbody", {}, ...rows));
  const place = make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": text("How alike they are") },
    table,
  );
  return [make("p", {}, about), place];
}

function drawRanking({ asked, data }: Came): HTMLElement[] {
  const words = [asked["documents"]].flat().map(String);
  const found = listOf(data["results"]).map((one) => ({
    at: Number(one["index"]),
    score: Number(one["relevance_score"]),
  }));
  const most = Math.max(...found.map((one) => one.score), 0);
  const rows = found
    .sort((one, other) => other.score - one.score)
    .map(({ at, score }) => {
      const meter = make("meter", {
        min: "0",
        max: String(most || 1),
        value: String(Math.max(score, 0)),
        "aria-label": text("Score"),
      });
      const row = make("li", { "data-testid": "playground.ranked" }, make("div", {}, words[at] ?? ""));
      row.append(make("div", { class: "row quiet small" }, meter, number(score, 3)));
      return row;
    });
  return [make("ol", { class: "rows" }, ...rows)];
}

/** The kind of a picture, by how its bytes begin in base64. */
const kindOf = (data: string) =>
  data.startsWith("/9j/") ? "jpeg" : data.startsWith("UklGR") ? "webp" : data.startsWith("R0lG") ? "gif" : "png";

function drawPictures({ asked, data }: Came): HTMLElement[] {
  return listOf(data["data"]).map((one, at) => {
    const address = one["url"];
    if (typeof one["b64_json"] !== "string") {
      // Somebody else's address: this page loads nothing from there by itself.
      const link = make(
        "a",
        { href: String(address ?? ""), rel: "noopener noreferrer", target: "_blank" },
        text("Open the picture"),
      );
      return make("p", {}, link);
    }
    const kind = kindOf(one["b64_json"]);
    const source = `data:image/${kind};base64,${one["b64_json"]}`;
    const picture = make("img", { src: source, alt: String(one["revised_prompt"] ?? asked["prompt"] ?? "") });
    const save = make(
      "a",
      { class: "button tiny", href: source, download: `picture-${at + 1}.${kind}` },
      icon("download"),
      text("Save as a file"),
    );
    return make("figure", { "data-testid": "playground.picture" }, picture, make("figcaption", {}, save));
  });
}

const drawText = ({ data }: Came): HTMLElement[] => [make("p", { class: "words" }, String(data["text"] ?? ""))];

function drawSound({ asked, blob }: Came): HTMLElement[] {
  if (!blob) return [];
  const source = URL.createObjectURL(blob);
  const player = make("audio", { src: source, controls: "", "aria-label": text("What was said") });
  const name = `speech.${asked["response_format"] ?? "mp3"}`;
  const save = make(
    "a",
    { class: "button tiny", href: source, download: name },
    icon("download"),
    text("Save as a file"),
  );
  return [player, make("div", {}, save)];
}

const JSON_ANSWER = "console.log(await answer.json());";

export const MODES: Record<string, Mode> = {
  completion: {
    route: "completions",
    streams: true,
    sample: {
      sdk: "completions.create",
      python: "print(answer.choices[0].text)",
      javascript: "console.log((await answer.json()).choices[0].text);",
    },
    draw: ({ asked, data }) => [
      make(
        "p",
        { class: "words" },
        make("span", { class: "quiet" }, String(asked["prompt"] ?? "")),
        String(data["text"] ?? ""),
      ),
    ],
  },
  embedding: {
    route: "embeddings",
    sample: {
      sdk: "embeddings.create",
      python: "for one in answer.data:\n    print(len(one.embedding), one.embedding[:4])",
      javascript:
        "for (const { embedding } of (await answer.json()).data) console.log(embedding.length, embedding.slice(0, 4));",
    },
    draw: drawVectors,
  },
  rerank: {
    route: "rerank",
    sample: { sdk: "", python: "print(answer)", javascript: JSON_ANSWER },
    draw: drawRanking,
  },
  image: {
    route: "images/generations",
    sample: {
      sdk: "images.generate",
      python:
        'with open("picture.png", "wb") as picture:\n    picture.write(base64.b64decode(answer.data[0].b64_json))',
      javascript: 'fs.writeFileSync("picture.png", Buffer.from((await answer.json()).data[0].b64_json, "base64"));',
    },
    draw: drawPictures,
  },
  transcription: {
    route: "audio/transcriptions",
    sample: {
      sdk: "audio.transcriptions.create",
      python: "print(answer.text)",
      javascript: "console.log((await answer.json()).text);",
    },
    draw: drawText,
  },
  speech: {
    route: "audio/speech",
    sample: { sdk: "audio.speech.create", python: "", javascript: "", into: "speech" },
    draw: drawSound,
  },
};
