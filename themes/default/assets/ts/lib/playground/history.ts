// The conversations that this browser keeps: found, opened, given another name, saved as a file, forgotten.
import { icon, make } from "../dom";
import { askFor } from "../forms";
import { language, text } from "../texts";
import { type Chat, forgetChat, listChats, renameChat } from "./chats";

function save(chat: Chat): void {
  const file = new Blob([`${JSON.stringify(chat, null, 2)}\n`], { type: "application/json" });
  const link = make("a", { href: URL.createObjectURL(file), download: `conversation-${chat.id.slice(0, 8)}.json` });
  link.click();
  URL.revokeObjectURL(link.href);
}

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
      if (field.value.trim()) renameChat(chat.id, field.value.trim());
      draw();
    });
    row.replaceChildren(form);
    field.focus();
  }

  function draw(): void {
    const wanted = search.value.trim().toLowerCase();
    const isMeant = (chat: Chat) =>
      !wanted || [chat.title, ...chat.turns.map((turn) => turn.user)].some((one) => one.toLowerCase().includes(wanted));
    const rows = listChats()
      .filter(isMeant)
      .map((chat) => {
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
          button("download", text("Save as a file"), () => save(chat)),
          button("trash-2", text("Delete"), () =>
            askFor("", text("Forget this conversation?"), () => {
              forgetChat(chat.id);
              draw();
            }),
          ),
        );
        return row;
      });
    const words = wanted ? text("No conversation is like this.") : text("Nothing was said yet.");
    list.replaceChildren(...(rows.length ? rows : [make("li", { class: "quiet" }, words)]));
  }

  search.addEventListener("input", draw);
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest(`[data-dialog="${dialog.id}"]`)) draw();
  });
}
