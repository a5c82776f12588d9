// The conversations that this browser keeps: found, opened, given another name, saved as a file, forgotten.
import { icon, make } from "../dom";
import { askFor } from "../forms";
import { language, text } from "../texts";
import { tellError } from "../toasts";
import type { Chat } from "./chats";
import { asMarkdown, save } from "./exports";
import { findChat, forgetChat, type Head, listHeads, renameChat } from "./store";

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

  /** Do something with the whole of a conversation, if it is still there. */
  const withWhole = (id: string, run: (chat: Chat) => void) => () =>
    void findChat(id).then((chat) => (chat ? run(chat) : draw()), tellError);

  function rename(row: HTMLElement, head: Head): void {
    const field = make("input", { value: head.title, maxlength: "60", "aria-label": text("Title") });
    const form = make("form", { class: "row nowrap" }, field, make("button", { class: "button tiny" }, text("Save")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const title = field.value.trim();
      void (title ? renameChat(head.id, title).catch(tellError) : Promise.resolve()).then(draw);
    });
    row.replaceChildren(form);
    field.focus();
  }

  async function draw(): Promise<void> {
    const heads = await listHeads();
    const wanted = search.value.trim().toLowerCase();
    const found = heads.filter((head) => head.words.includes(wanted));
    const rows = found.map((head) => {
      const when = new Date(head.at).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
      const about = make("span", { class: "quiet small clamp" }, `${when} · ${head.models.join(", ")}`);
      const title = make("button", { type: "button", class: "plain-row grow" }, make("b", {}, head.title), about);
      title.dataset["testid"] = "playground.chat";
      title.addEventListener(
        "click",
        withWhole(head.id, (chat) => {
          dialog.close();
          open(chat);
        }),
      );
      const asJson = (chat: Chat) => `${JSON.stringify(chat, null, 2)}\n`;
      const row = make("li", { class: "row nowrap" });
      row.append(
        title,
        button("pencil", text("Rename"), () => rename(row, head)),
        button(
          "file-text",
          text("Save as Markdown"),
          withWhole(head.id, (chat) => save(chat, "md", "text/markdown", asMarkdown(chat))),
        ),
        button(
          "download",
          text("Save as a file"),
          withWhole(head.id, (chat) => save(chat, "json", "application/json", asJson(chat))),
        ),
        button("trash-2", text("Delete"), () =>
          askFor("", text("Forget this conversation?"), () => {
            void forgetChat(head.id).then(draw, tellError);
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
