// The conversations that this browser keeps: found, opened, given another name, saved as a file, forgotten.
import { icon, make } from "../dom";
import { askFor } from "../forms";
import { language, text } from "../texts";
import { tellError } from "../toasts";
import { allTurns, type Chat } from "./chats";
import { asMarkdown, save } from "./exports";
import { forgetChat, listChats, renameChat } from "./store";

/** Set the dialog up; open: what becomes of the one that is chosen. */
export function setUpHistory(dialog: HTMLDialogElement, open: (chat: Chat) => void): void {
  const search = dialog.querySelector("input") as HTMLInputElement;
  const list = dialog.querySelector("[data-chats]") as HTMLElement;

  const button = (sign: string, label: string, run: () => void) => {
    const made = make("button", {
      type: "button",
      class: "button bare tiny square",
      "aria-label": label,
      title: label,
    });
    made.append(icon(sign));
    made.addEventListener("click", run);
    return made;
  };

  function rename(row: HTMLElement, chat: Chat): void {
    const field = make("input", { value: chat.title, maxlength: "60", "aria-label": text("Title") });
    const form = make("form", { class: "row nowrap" }, field, make("button", { class: "button tiny" }, text("Save")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const title = field.value.trim();
      void (title ? renameChat(chat.id, title).catch(tellError) : Promise.resolve()).then(draw);
    });
    row.replaceChildren(form);
    field.focus();
  }

  async function draw(): Promise<void> {
    const chats = await listChats();
    const wanted = search.value.trim().toLowerCase();
    const has = (words: string) => words.toLowerCase().includes(wanted);
    const isSaid = (chat: Chat) =>
      [...allTurns(chat)].some((turn) => has(turn.user) || turn.answers.some((answer) => has(answer?.text ?? "")));
    const isMeant = (chat: Chat) => !wanted || has(chat.title) || isSaid(chat);
    const rows = chats.filter(isMeant).map((chat) => {
      const when = new Date(chat.at).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
      const about = make("span", { class: "quiet small clamp" }, `${when} · ${chat.models.join(", ")}`);
      const title = make("button", { type: "button", class: "plain-row grow" }, make("b", {}, chat.title), about);
      title.dataset["testid"] = "playground.chat";
      title.addEventListener("click", () => {
        dialog.close();
        open(chat);
      });
      const row = make("li", { class: "row nowrap" });
      row.append(
        title,
        button("pencil", text("Rename"), () => rename(row, chat)),
        button("file-text", text("Save as Markdown"), () => save(chat, "md", "text/markdown", asMarkdown(chat))),
        button("download", text("Save as a file"), () =>
          save(chat, "json", "application/json", `${JSON.stringify(chat, null, 2)}\n`),
        ),
        button("trash-2", text("Delete"), () =>
          askFor("", text("Forget this conversation?"), () => {
            void forgetChat(chat.id).then(draw, tellError);
          }),
        ),
      );
      return row;
    });
    const words = wanted ? text("No conversation is like this.") : text("Nothing was said yet.");
    list.replaceChildren(...(rows.length ? rows : [make("li", { class: "quiet" }, words)]));
  }

  search.addEventListener("input", () => void draw());
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest(`[data-dialog="${dialog.id}"]`)) void draw();
  });
}
