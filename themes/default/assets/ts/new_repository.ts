// The form for a new repository: whether the name is free is said while it is typed.
import { ApiError, call } from "./lib/api";
import { onEach } from "./lib/dom";
import { text } from "./lib/texts";

const WAIT_MS = 300;

onEach<HTMLFormElement>("form[data-check-name]", (form) => {
  const name = form.elements.namedItem("name") as HTMLInputElement;
  const namespace = form.elements.namedItem("namespace") as HTMLSelectElement;
  const told = document.getElementById(name.getAttribute("aria-describedby") ?? "");
  if (!told) return;
  const rule = told.textContent ?? "";
  let timer = 0;
  let asking: AbortController | undefined;

  const say = (words: string, kind: "" | "good" | "bad") => {
    told.textContent = words;
    told.className = `small told ${kind || "quiet"}`;
    if (kind === "bad") name.setAttribute("aria-invalid", "true");
    else name.removeAttribute("aria-invalid");
  };

  const check = async () => {
    asking?.abort();
    if (!name.value) {
      say(rule, "");
      return;
    }
    asking = new AbortController();
    const { signal } = asking;
    const query = new URLSearchParams({ namespace: namespace.value, name: name.value });
    try {
      const found = await call<{ is_free: boolean; reason: string }>(`${form.dataset["api"]}/check_name?${query}`, {
        signal,
      });
      if (found.is_free) say(text("{path} is free.", { path: `${namespace.value}/${name.value}` }), "good");
      else say(found.reason, "bad");
    } catch (error) {
      if (!signal.aborted) say(error instanceof ApiError ? error.message : String(error), "bad");
    }
  };

  const later = () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void check(), WAIT_MS);
  };
  name.addEventListener("input", later);
  namespace.addEventListener("change", later);
  if (name.value) later();
});
