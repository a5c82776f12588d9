// The list of issues and pull requests: several are chosen, and one thing is done to all of them.
import { call } from "./api";
import { on, onEach } from "./dom";
import { text } from "./texts";
import { tell, tellError, tellNext } from "./toasts";

interface Done {
  number: number;
  is_done: boolean;
  reason: string;
}

const boxes = (): HTMLInputElement[] => [...document.querySelectorAll<HTMLInputElement>("[data-choose]")];
const chosen = (): number[] =>
  boxes()
    .filter((box) => box.checked)
    .map((box) => Number(box.value));

function show(): void {
  const bar = document.querySelector<HTMLElement>("[data-bulk]");
  const all = document.querySelector<HTMLInputElement>("[data-choose-all]");
  const count = chosen().length;
  bar?.toggleAttribute("hidden", count === 0);
  const told = bar?.querySelector("[data-bulk-count]");
  if (told) told.textContent = text("{count} chosen", { count });
  if (all) {
    all.checked = count > 0 && count === boxes().length;
    all.indeterminate = count > 0 && !all.checked;
  }
}

async function run(action: string, labels: string[] = []): Promise<void> {
  const api = document.querySelector<HTMLElement>("[data-bulk]")?.dataset["bulk"] ?? "";
  const done = await call<Done[]>(api, { method: "POST", body: { numbers: chosen(), action, labels } });
  const failed = done.filter((one) => !one.is_done);
  if (failed.length) tell(failed.map((one) => `#${one.number}: ${one.reason}`).join(" "));
  if (failed.length === done.length) return;
  if (!failed.length) tellNext(text("Done for {count}.", { count: done.length }));
  location.reload();
}

onEach<HTMLInputElement>("[data-choose-all]", (all) => {
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    show();
  });
  show(); // A browser that comes back keeps what was ticked.
});
on("change", "[data-choose]", show);
on("click", "[data-bulk-action]", (button) => void run(button.dataset["bulkAction"] ?? "").catch(tellError));
on("click", "[data-bulk] [data-label]", (button) => {
  void run("label", [button.dataset["label"] ?? ""]).catch(tellError);
});
