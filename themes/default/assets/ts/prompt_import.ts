// Import of prompts: a file is sent with its progress, and what could not be read is told by its line.
import { ApiError } from "./lib/api";
import { make, onEach } from "./lib/dom";
import { text } from "./lib/texts";

interface Imported {
  created: string[];
  replaced: string[];
  skipped: string[];
  errors: { place: string; reason: string }[];
  error_count: number;
}

function send(url: string, body: FormData, progress: HTMLProgressElement): Promise<Imported> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.responseType = "json";
    const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
    request.setRequestHeader("X-CSRF-Token", token);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress.value = event.loaded / event.total;
    });
    request.addEventListener("error", () =>
      reject(new Error(text("The hub cannot be reached. Check the connection and try again."))),
    );
    request.addEventListener("load", () => {
      const answer = request.response;
      if (request.status < 300) resolve(answer.data);
      else {
        const message = answer?.msg || request.statusText;
        const trace = answer?.trace_id ?? "";
        reject(new ApiError(message, request.status, answer?.code ?? "", trace, answer?.context ?? {}));
      }
    });
    request.send(body);
  });
}

function tellDone(told: HTMLElement, done: Imported): void {
  const [created, replaced, skipped] = [done.created.length, done.replaced.length, done.skipped.length];
  const numbers = text("{created} added, {replaced} written anew, {skipped} were there already.", {
    created,
    replaced,
    skipped,
  });
  const box = make("div", { class: `callout ${done.error_count ? "wait" : "good"}` }, make("div", {}, numbers));
  if (done.error_count) {
    const list = make("ul");
    for (const { place, reason } of done.errors) list.append(make("li", {}, make("b", {}, place), ` ${reason}`));
    const count = text("{count} could not be read:", { count: done.error_count });
    box.lastElementChild?.append(make("p", {}, count), list);
  }
  told.replaceChildren(box);
}

onEach<HTMLFormElement>("form.import", (form) => {
  const progress = form.querySelector("progress") as HTMLProgressElement;
  const told = form.querySelector(".told") as HTMLElement;
  const button = form.querySelector("button.primary") as HTMLButtonElement;
  let hasChanged = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    progress.hidden = false;
    progress.value = 0;
    told.replaceChildren();
    send(form.action, new FormData(form), progress)
      .then((done) => {
        hasChanged ||= done.created.length + done.replaced.length > 0;
        tellDone(told, done);
      })
      .catch((error: Error) => {
        const about = error instanceof ApiError ? [error.code, error.traceId].filter(Boolean).join(" · ") : "";
        const words = make("div", {}, error.message, make("div", { class: "quiet small mono" }, about));
        told.replaceChildren(make("div", { class: "callout bad", role: "alert" }, words));
      })
      .finally(() => {
        button.disabled = false;
        progress.hidden = true;
      });
  });
  form.closest("dialog")?.addEventListener("close", () => {
    if (hasChanged) location.reload();
  });
});
