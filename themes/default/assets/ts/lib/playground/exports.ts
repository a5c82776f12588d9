// Conversations as files: whole, and as people read them.
import { make } from "../dom";
import { text } from "../texts";
import { type Chat, splitThought } from "./chats";

/** Hand a file to the person. */
export function handOut(name: string, content: Blob): void {
  const link = make("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Hand a conversation out. */
export function save(chat: Chat, ending: string, type: string, words: string): void {
  handOut(`conversation-${chat.id.slice(0, 8)}.${ending}`, new Blob([words], { type }));
}

/** The way that the conversation shows, as Markdown. */
export function asMarkdown(chat: Chat): string {
  const parts = [`# ${chat.title || chat.models.join(", ")}`];
  if (chat.system.trim()) parts.push(`## ${text("System prompt")}`, chat.system);
  for (const turn of chat.turns) {
    const files = (turn.files ?? []).map((file) => `- ${file.name}`).join("\n");
    parts.push(`## ${text("You")}`, turn.user, files);
    for (const answer of turn.answers) {
      if (!answer) continue;
      const rounds = [...(answer.before ?? []), answer].flatMap((round) => [
        splitThought(round.text)[1],
        ...(round.calls ?? []).map((call) => `\`${call.name}(${call.arguments})\` → ${call.result ?? ""}`),
      ]);
      parts.push(`## ${answer.model}`, ...rounds, answer.error ? `> ${answer.error}` : "");
    }
  }
  return `${parts.filter(Boolean).join("\n\n")}\n`;
}
