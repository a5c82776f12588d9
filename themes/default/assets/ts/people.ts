// Accounts, settings and the set-up: what a form shows when it is done, and what a browser can try out.
import { ApiError, call } from "./lib/api";
import { icon, on, onEach } from "./lib/dom";
import { text } from "./lib/texts";
import { tellError, tellNext } from "./lib/toasts";

type Answer = Record<string, unknown>;

// data-show="ID": what stands there becomes visible, with members of the answer in its [data-answer="member"].
document.addEventListener("hub:done", (event) => {
  const element = event.target as HTMLElement;
  const answer = (event as CustomEvent<Answer | undefined>).detail;
  const shown = document.getElementById(element.dataset["show"] ?? "");
  if (shown) {
    for (const place of shown.querySelectorAll<HTMLElement>("[data-answer]")) {
      const words = String(answer?.[place.dataset["answer"] ?? ""] ?? "");
      if (place instanceof HTMLInputElement) place.value = words;
      else place.textContent = words;
    }
    shown.hidden = false;
    if (element instanceof HTMLFormElement) element.hidden = true;
    shown.closest("dialog") ?? shown.scrollIntoView({ block: "nearest" });
  }
  if (element.dataset["once"] !== undefined) {
    element.replaceChildren(icon("check"));
    element.setAttribute("aria-disabled", "true");
  }
  if (element instanceof HTMLFormElement && element.dataset["signIn"] !== undefined) void signIn(element);
});

// data-api-from="/api/v1/token/git/{token_name}": an address that has fields of the form in it.
document.addEventListener(
  "submit",
  (event) => {
    const form = event.target as HTMLFormElement;
    const template = form.dataset["apiFrom"];
    if (template === undefined) return;
    const fields = new FormData(form);
    form.dataset["api"] = template.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(String(fields.get(name) ?? "")),
    );
  },
  true,
);

/** Who has just made an account is signed in by it. */
async function signIn(form: HTMLFormElement): Promise<void> {
  const { username, password } = Object.fromEntries(new FormData(form)) as Record<string, string>;
  const { signIn: next } = form.dataset;
  try {
    await call("/api/v1/session", { method: "POST", body: { username, password } });
    location.assign(next || "/");
  } catch (error) {
    tellError(error);
  }
}

// A file's text goes into a field: data-fill="ID".
on("change", "input[data-fill]", (input) => {
  const [file] = (input as HTMLInputElement).files ?? [];
  const field = document.getElementById(input.dataset["fill"] ?? "") as HTMLTextAreaElement | null;
  if (file && field) void file.text().then((words) => (field.value = words.trim()));
});

// data-picture="/api/v1/…": a picture is looked at before it is sent there.
onEach<HTMLFormElement>("form[data-picture]", (form) => {
  const part = <T extends HTMLElement>(name: string) => form.querySelector<T>(`[data-picture-${name}]`);
  const field = form.querySelector<HTMLInputElement>("input[type=file]");
  const [preview, shown, save, fault] = [
    part<HTMLImageElement>("preview"),
    part("shown"),
    part<HTMLButtonElement>("save"),
    part("fault"),
  ];
  if (!field || !preview || !shown || !save || !fault) return;
  const say = (words: string) => {
    fault.textContent = words;
    fault.hidden = !words;
  };
  const show = (file?: File) => {
    URL.revokeObjectURL(preview.src);
    preview.hidden = save.disabled = !file;
    shown.hidden = Boolean(file);
    if (file) preview.src = URL.createObjectURL(file);
  };
  preview.addEventListener("error", () => {
    if (preview.hidden) return;
    show();
    say(text("This is no picture that can be read."));
  });
  field.addEventListener("change", () => {
    const [file] = field.files ?? [];
    const isTooLarge = file !== undefined && file.size > Number(form.dataset["most"]);
    say(isTooLarge ? text("This picture is larger than 1 MiB.") : "");
    show(isTooLarge ? undefined : file);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [file] = field.files ?? [];
    if (!file || save.disabled) return;
    save.disabled = true;
    call(form.dataset["picture"] ?? "", { method: "PUT", body: file }).then(
      () => {
        tellNext(form.dataset["toast"] ?? "");
        location.reload();
      },
      (error: unknown) => {
        save.disabled = false;
        say(error instanceof ApiError ? error.message : String(error));
      },
    );
  });
});

// data-countdown="37": the seconds until it is worth trying again.
onEach<HTMLElement>("[data-countdown]", (place) => {
  let left = Number(place.dataset["countdown"]);
  const timer = setInterval(() => {
    left -= 1;
    place.textContent = left > 0 ? text("Try again in {seconds} s.", { seconds: left }) : text("Try again now.");
    if (left <= 0) clearInterval(timer);
  }, 1000);
});

// The set-up: whether this browser reaches an address, and the same hub there.

function settle(row: HTMLElement, status: "ok" | "warn" | "fail", words: string): void {
  const [name, kind] = { ok: ["circle-check", "good"], warn: ["triangle-alert", "wait"], fail: ["circle-x", "bad"] }[
    status
  ] as [string, string];
  const mark = row.querySelector<HTMLElement>(".mark");
  mark?.replaceChildren(icon(name));
  mark?.setAttribute("class", `mark ${kind}`);
  row.dataset["status"] = status;
  const place = row.querySelector(".words");
  if (place) place.textContent = words;
}

const PATIENCE_MS = 8000;

onEach<HTMLElement>("[data-probe]", (row) => {
  const { probe = "", instance = "" } = row.dataset;
  fetch(`${probe}/-/health`, { signal: AbortSignal.timeout(PATIENCE_MS), credentials: "omit" })
    .then((answer) => answer.json() as Promise<{ instance?: string }>)
    .then(
      (found) =>
        found.instance === instance
          ? settle(row, "ok", text("It leads to this hub."))
          : settle(row, "fail", text("Another hub answers there.")),
      () => settle(row, "fail", text("No hub answers there. Check the name, the port and the proxy.")),
    );
});

onEach<HTMLElement>("[data-probe-store]", (row) => {
  const url = row.dataset["probeStore"] ?? "";
  const signal = AbortSignal.timeout(PATIENCE_MS);
  fetch(url, { signal, credentials: "omit" })
    .then((answer) => (answer.ok ? "ok" : "fail"))
    .catch(() => fetch(url, { signal, mode: "no-cors" }).then(() => "warn" as const))
    .then(
      (found) => {
        if (found === "ok") settle(row, "ok", text("It answers."));
        else if (found === "warn")
          settle(row, "warn", text("It answers, but lets no page read from it: allow this hub's address by CORS."));
        else settle(row, "fail", text("It answers, but refuses the hub's signed address. Check its keys and clock."));
      },
      () =>
        settle(row, "fail", text("This browser does not reach it. Set storage_public_url, or storage_direct = false.")),
    );
});
