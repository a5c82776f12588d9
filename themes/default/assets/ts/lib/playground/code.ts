// The conversation as code, as far as it has come: with OpenAI's SDK, Anthropic's, and curl.
import { type Chat, messagesOf, requestOf } from "./chats";

/** A value in lines: of a list, a line for each item. lines: how one value is written. */
function inLines(value: unknown, one: (value: unknown) => string): string {
  if (!Array.isArray(value)) return one(value);
  return `[\n${value.map((item) => `        ${one(item)},`).join("\n")}\n    ]`;
}

/** A value as Python writes it, in one line. */
function python(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null) return "None";
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value as object)
    .map(([name, member]) => `${JSON.stringify(name)}: ${python(member)}`)
    .join(", ")}}`;
}

function callOf(name: string, members: Record<string, unknown>): string {
  const lines = Object.entries(members).map(([key, value]) => `    ${key}=${inLines(value, python)},`);
  return `${name}(\n${lines.join("\n")}\n)`;
}

/** Code in three ways. site: the hub's address; draft: a question that is not asked yet. */
export function codeOf(chat: Chat, site: string, draft: string): Record<"openai" | "anthropic" | "curl", string> {
  const turns = draft ? [...chat.turns, { user: draft, answers: [] }] : chat.turns;
  const shown = { ...chat, turns: turns.length ? turns : [{ user: "Hello!", answers: [] }] };
  const messages = messagesOf(shown, 0);
  const model = chat.models[0] ?? "";
  let members: Record<string, unknown> = {};
  try {
    members = requestOf(chat.parameters);
  } catch {
    // A schema that is not finished yet.
  }
  const { top_k: topK, ...known } = members;
  const extra = topK === undefined ? {} : { extra_body: { top_k: topK } };
  const openai = callOf("client.chat.completions.create", { model, messages, ...known, ...extra });
  const anthropic = callOf("client.messages.create", {
    model,
    max_tokens: known["max_tokens"] ?? 1024,
    ...(chat.system.trim() && { system: chat.system }),
    messages: messages.filter((one) => one.role !== "system"),
    ...(known["temperature"] !== undefined && { temperature: known["temperature"] }),
    ...(known["top_p"] !== undefined && { top_p: known["top_p"] }),
    ...(topK !== undefined && { top_k: topK }),
    ...(known["stop"] !== undefined && { stop_sequences: known["stop"] }),
  });
  const body = JSON.stringify({ model, messages, ...members }, null, 2).replaceAll("'", "'\\''");
  return {
    openai: `import os
from openai import OpenAI

client = OpenAI(base_url=${python(`${site}/v1`)}, api_key=os.environ["HUB_API_KEY"])
answer = ${openai}
print(answer.choices[0].message.content)
`,
    anthropic: `import os
from anthropic import Anthropic

client = Anthropic(base_url=${python(site)}, api_key=os.environ["HUB_API_KEY"])
answer = ${anthropic}
print(answer.content[0].text)
`,
    curl: `curl ${site}/v1/chat/completions \\
  -H "Authorization: Bearer $HUB_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '${body}'
`,
  };
}
