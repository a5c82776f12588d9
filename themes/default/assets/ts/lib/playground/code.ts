// What is tried, as code that runs as it stands: in Python with the SDKs, in JavaScript and with curl without any.
import { text } from "../texts";
import { type Attachment, addressOf } from "./attachments";
import { type Chat, type Message, messagesOf, NotJson, requestOf } from "./chats";

/** A file that code reads, where a request has its contents: before stands before them, in base64. */
class FromFile {
  constructor(
    readonly name: string,
    readonly before = "",
  ) {}
}

export type Style = "openai" | "anthropic";
type Json = Record<string, unknown>;
export type Languages = Record<"python" | "javascript" | "curl", string>;

/** A call as code makes it. form: fields beside a file; sdk: the SDK's function; show: what of the answer is printed. */
export interface Sample {
  site: string;
  style: Style;
  route: string;
  body: Json;
  file?: string;
  /** Where an answer is no JSON: the file that it becomes. */
  into?: string;
  sdk: string;
  python: string;
  javascript: string;
}

const lineOf = (indent: number) => `\n${" ".repeat(indent)}`;

/** A value as a language writes it; what is long, in lines. */
function write(value: unknown, words: Words, indent: number): string {
  if (value instanceof FromFile) return words.file(value);
  if (value === null || typeof value !== "object") {
    return words.plain[String(value)] ?? JSON.stringify(value);
  }
  const [opens, closes] = Array.isArray(value) ? "[]" : "{}";
  const parts = Array.isArray(value)
    ? value.map((item) => write(item, words, indent + 4))
    : Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([name, member]) => `${JSON.stringify(name)}: ${write(member, words, indent + 4)}`);
  const short = `${opens}${parts.join(", ")}${closes}`;
  if (short.length + indent <= 100 && !short.includes("\n")) return short;
  const inner = lineOf(indent + 4);
  return `${opens}${inner}${parts.join(`,${inner}`)}${words.lastComma}${lineOf(indent)}${closes}`;
}

interface Words {
  plain: Record<string, string>;
  lastComma: string;
  file(from: FromFile): string;
}

const PYTHON: Words = {
  plain: { true: "True", false: "False", null: "None" },
  lastComma: ",",
  file: ({ name, before }) =>
    `${before ? `${JSON.stringify(before)} + ` : ""}base64.b64encode(open(${JSON.stringify(name)}, "rb").read()).decode()`,
};
const SCRIPT: Words = {
  plain: {},
  lastComma: ",",
  file: ({ name, before }) =>
    `${before ? `${JSON.stringify(before)} + ` : ""}fs.readFileSync(${JSON.stringify(name)}, "base64")`,
};
// In a text that the shell fills in: what it would take for its own is marked.
const forShell = (words: string) => words.replace(/[\\$`]/g, "\\$&");
// Its marks of where a file goes are letters of nobody's.
const SHELL: Words = {
  plain: {},
  lastComma: "",
  file: ({ name, before }) => `"\uE000${before}\uE001${name}\uE002"`,
};
const quoted = (words: string) => `'${words.replaceAll("'", "'\\''")}'`;

// Members that the SDK's functions do not know go with the others by this name.
const UNKNOWN = new Set(["top_k"]);

function pythonOf({ site, style, route, body, file, into, sdk, python }: Sample): string {
  const isOpenAI = style === "openai";
  const extra = Object.entries(body).filter(([name]) => isOpenAI && UNKNOWN.has(name));
  const known = Object.entries(body).filter(([name]) => !isOpenAI || !UNKNOWN.has(name));
  const written: [string, string][] = known.map(([name, value]) => [name, write(value, PYTHON, 4)]);
  if (extra.length) written.push(["extra_body", write(Object.fromEntries(extra), PYTHON, 4)]);
  if (file) written.push(["file", `open(${JSON.stringify(file)}, "rb")`]);
  const members = written.map(([name, value]) => `    ${name}=${value},`).join("\n");
  // What the SDK has no function for, its plain one asks.
  const asks = sdk
    ? `client.${sdk}(\n${members}\n)`
    : `client.post(\n    ${JSON.stringify(`/${route}`)},\n    cast_to=object,\n    body=${write(body, PYTHON, 4)},\n)`;
  const needs = ["import base64", "import os"].filter(
    (line) => line !== "import base64" || `${asks}${python}`.includes("base64."),
  );
  const [from, client] = isOpenAI ? ["openai", "OpenAI"] : ["anthropic", "Anthropic"];
  const base = JSON.stringify(isOpenAI ? `${site}/v1` : site);
  const shown = into ? `answer.write_to_file(${JSON.stringify(into)})` : python;
  return `${needs.join("\n")}
from ${from} import ${client}

client = ${client}(base_url=${base}, api_key=os.environ["HUB_API_KEY"])
answer = ${asks}
${shown}
`;
}

function scriptOf({ site, style, route, body, file, into, javascript }: Sample): string {
  const url = JSON.stringify(`${site}/v1/${route}`);
  const key =
    style === "openai" ? 'Authorization: "Bearer " + process.env.HUB_API_KEY' : '"x-api-key": process.env.HUB_API_KEY';
  const version = style === "anthropic" ? `\n        "anthropic-version": "2023-06-01",` : "";
  const show = into
    ? `fs.writeFileSync(${JSON.stringify(into)}, Buffer.from(await answer.arrayBuffer()));`
    : javascript;
  const check = "if (!answer.ok) throw new Error(await answer.text());";
  if (file) {
    const fields = Object.entries(body).map(
      ([name, value]) => `form.set(${JSON.stringify(name)}, ${JSON.stringify(String(value))});`,
    );
    return `import fs from "node:fs";

const form = new FormData();
${fields.join("\n")}
form.set("file", await fs.openAsBlob(${JSON.stringify(file)}), ${JSON.stringify(file)});
const answer = await fetch(${url}, {
    method: "POST",
    headers: { ${key} },
    body: form,
});
${check}
${show}
`;
  }
  const asks = `const answer = await fetch(${url}, {
    method: "POST",
    headers: {
        "Content-Type": "application/json",
        ${key},${version}
    },
    body: JSON.stringify(${write(body, SCRIPT, 4)}),
});
${check}
${show}
`;
  return asks.includes("fs.") ? `import fs from "node:fs";\n\n${asks}` : asks;
}

function curlOf({ site, style, route, body, file, into }: Sample): string {
  const lines = [`curl ${quoted(`${site}/v1/${route}`)}`];
  lines.push(style === "openai" ? `-H "Authorization: Bearer $HUB_API_KEY"` : `-H "x-api-key: $HUB_API_KEY"`);
  if (style === "anthropic") lines.push("-H 'anthropic-version: 2023-06-01'");
  if (into) lines.push(`-o ${quoted(into)}`);
  if (file) {
    lines.push(
      ...Object.entries(body).map(([name, value]) => `-F ${quoted(`${name}=${value}`)}`),
      `-F ${quoted(`file=@${file}`)}`,
    );
    return `${lines.join(" \\\n  ")}\n`;
  }
  lines.push("-H 'Content-Type: application/json'");
  const written = write(body, SHELL, 0);
  if (!written.includes("\uE000")) return `${[...lines, `-d ${quoted(written)}`].join(" \\\n  ")}\n`;
  // A command line has no room for a file, its input has.
  const filled = forShell(written).replace(
    /\uE000([^\uE001]*)\uE001([^\uE002]*)\uE002/g,
    (_, before: string, name: string) =>
      `${before}$(base64 < ${quoted(name.replace(/\\([\\$`])/g, "$1"))} | tr -d '\\n')`,
  );
  return `${[...lines, "-d @- <<END"].join(" \\\n  ")}\n${filled}\nEND\n`;
}

/** A call in all languages. */
export const codeOf = (sample: Sample): Languages => ({
  python: pythonOf(sample),
  javascript: scriptOf(sample),
  curl: curlOf(sample),
});

/** Put code into the dialog. note: what it leaves out. */
export function fillCode(code: Languages, note = ""): void {
  for (const [name, words] of Object.entries(code)) {
    const place = document.getElementById(`code-${name}`);
    if (place) place.textContent = words;
  }
  const place = document.querySelector<HTMLElement>("[data-code-note]");
  if (!place) return;
  place.hidden = !note;
  place.textContent = note;
}

// Chats

/** Messages in which files stand as such. */
function withFiles(messages: Message[], files: Attachment[]): Json[] {
  const byData = new Map<unknown, FromFile>();
  for (const file of files) {
    byData.set(addressOf(file), new FromFile(file.name, `data:${file.type};base64,`));
    if (file.kind === "audio") byData.set(file.data, new FromFile(file.name));
  }
  const replace = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(replace);
    if (value === null || typeof value !== "object") return (files.length && byData.get(value)) || value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, replace(member)]));
  };
  return replace(messages) as Json[];
}

/** A message as Anthropic's clients send it; sound is nothing that they know. */
function anthropicOf(message: Message, files: Attachment[]): Json {
  const { role, content, tool_calls: calls, tool_call_id: id } = message;
  if (role === "tool") return { role: "user", content: [{ type: "tool_result", tool_use_id: id, content }] };
  const parts = typeof content === "string" ? [{ type: "text" as const, text: content }] : (content ?? []);
  const blocks: Json[] = parts.flatMap((part): Json[] => {
    if (part.type === "text") return [{ ...part }];
    if (part.type !== "image_url") return [];
    const file = files.find((one) => addressOf(one) === part.image_url.url);
    if (!file) return [];
    return [{ type: "image", source: { type: "base64", media_type: file.type, data: new FromFile(file.name) } }];
  });
  for (const call of calls ?? []) {
    blocks.push({
      type: "tool_use",
      id: call.id,
      name: call.function.name,
      input: JSON.parse(call.function.arguments || "{}"),
    });
  }
  const [only] = blocks;
  return { role, content: blocks.length === 1 && only?.["type"] === "text" ? only["text"] : blocks };
}

function toolOf(tool: unknown): Json {
  const {
    function: { name, description, parameters },
  } = tool as { function: Json };
  return { name, description, input_schema: parameters ?? { type: "object" } };
}

/** A conversation as far as it has come. site: the hub's address; draft: a question that is not asked yet. */
export function codeOfChat(chat: Chat, site: string, style: string, draft: string): Languages {
  const turns = draft ? [...chat.turns, { user: draft, answers: [] }] : chat.turns;
  const shown = { ...chat, turns: turns.length ? turns : [{ user: "Hello!", answers: [] }] };
  const files = shown.turns.flatMap((turn) => turn.files ?? []).filter((file) => file.kind !== "text");
  const model = chat.models[0] ?? "";
  const messages = messagesOf(shown, 0);
  let members: Json = {};
  try {
    members = requestOf(chat.parameters);
  } catch (error) {
    // What is not finished yet is left out.
    if (!(error instanceof NotJson)) throw error;
  }
  if (style !== "anthropic") {
    const python = "print(answer.choices[0].message.content or answer.choices[0].message.tool_calls)";
    const javascript =
      "const { message } = (await answer.json()).choices[0];\nconsole.log(message.content ?? message.tool_calls);";
    const body = { model, messages: withFiles(messages, files), ...members };
    return codeOf({
      site,
      style: "openai",
      route: "chat/completions",
      body,
      sdk: "chat.completions.create",
      python,
      javascript,
    });
  }
  const { temperature, top_p, top_k, stop, tools } = members;
  const body: Json = {
    model,
    max_tokens: members["max_tokens"] ?? 1024,
    ...(chat.system.trim() && { system: chat.system }),
    messages: messages.filter((one) => one.role !== "system").map((one) => anthropicOf(one, files)),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...(top_k !== undefined && { top_k }),
    ...(stop !== undefined && { stop_sequences: stop }),
    ...(Array.isArray(tools) && { tools: tools.map(toolOf) }),
  };
  const python = 'print("".join(block.text for block in answer.content if block.type == "text") or answer.content)';
  const javascript = `const { content } = await answer.json();
console.log(content.map((block) => block.text ?? "").join("") || content);`;
  return codeOf({ site, style: "anthropic", route: "messages", body, sdk: "messages.create", python, javascript });
}

/** What a conversation has that a style cannot say, in words; "" for nothing. */
export function leftOut(chat: Chat, style: string): string {
  if (style !== "anthropic") return "";
  const hasSound = chat.turns.some((turn) => turn.files?.some((file) => file.kind === "audio"));
  const hasFormat = Boolean(chat.parameters["response_format"]);
  return hasSound || hasFormat
    ? text("Anthropic's style has no sound and no form of the answer; these are left out.")
    : "";
}
