// Changed files: lines come as one scrolls to them and go again when there are too many; what was looked at is kept.
import { on, onEach } from "./lib/dom";
import { text } from "./lib/texts";

// Source: web-ui.md, section 7.5.
const MOST_LINES = 20_000;
const MARGIN_PX = 800;

const files = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>(".diff-file")];

// Lines

const near = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const box = entry.target as HTMLElement;
      if (entry.isIntersecting && !isFolded(box)) load(box);
    }
  },
  { rootMargin: `${MARGIN_PX}px` },
);

onEach(".diff-lines", (box) => {
  if (box.dataset["load"]) near.observe(box);
});

const isFolded = (box: HTMLElement): boolean => box.closest(".diff-file")?.classList.contains("is-folded") ?? false;

function load(box: HTMLElement): void {
  const url = box.dataset["load"];
  if (!url || box.dataset["loading"]) return;
  box.dataset["loading"] = "";
  void window.htmx
    .ajax("get", url, { source: box, target: box, swap: "innerHTML" })
    .finally(() => delete box.dataset["loading"]);
}

document.addEventListener("htmx:afterSwap", (event) => {
  const { target: box, requestConfig } = (
    event as CustomEvent<{ target: HTMLElement; requestConfig: { path: string } }>
  ).detail;
  if (!box.matches(".diff-lines")) return;
  delete box.dataset["load"];
  box.style.minHeight = "";
  box.dataset["from"] = requestConfig.path;
  box.dataset["count"] = String(box.querySelectorAll("tr").length);
  letGo(box);
});

/** Above so many lines on the screen the files farthest from it are emptied; they keep their height. */
function letGo(shown: HTMLElement): void {
  const boxes = [...document.querySelectorAll<HTMLElement>(".diff-lines")];
  let count = boxes.reduce((sum, box) => sum + Number(box.dataset["count"] ?? 0), 0);
  if (count <= MOST_LINES) return;
  const middle = shown.getBoundingClientRect().top;
  const far = boxes
    .filter((box) => box !== shown && box.dataset["from"])
    .map((box) => ({ box, distance: Math.abs(box.getBoundingClientRect().top - middle) }))
    .sort((one, other) => other.distance - one.distance);
  for (const { box, distance } of far) {
    if (count <= MOST_LINES || distance < 2 * innerHeight) break;
    count -= Number(box.dataset["count"]);
    box.style.minHeight = `${box.offsetHeight}px`;
    box.replaceChildren();
    box.dataset["load"] = box.dataset["from"] ?? "";
    box.dataset["count"] = "0";
    near.unobserve(box);
    near.observe(box);
  }
}

// Folding and "viewed"

function fold(file: HTMLElement, isFoldedNow: boolean): void {
  file.classList.toggle("is-folded", isFoldedNow);
  file.querySelector("[data-diff-fold]")?.setAttribute("aria-expanded", String(!isFoldedNow));
  const box = file.querySelector<HTMLElement>(".diff-lines[data-load]");
  if (box && !isFoldedNow) {
    near.unobserve(box);
    near.observe(box);
  }
}

on("click", "[data-diff-fold]", (button) => {
  const file = button.closest<HTMLElement>(".diff-file");
  if (file) fold(file, !file.classList.contains("is-folded"));
});

const MOST_REMEMBERED = 2000;
const storeName = (): string => `hub:viewed:${document.querySelector<HTMLElement>(".diff")?.dataset["viewed"] ?? ""}`;
const markOf = (file: HTMLElement): string => `${file.dataset["stamp"]}:${file.id}`;

function viewed(): string[] {
  try {
    return JSON.parse(localStorage.getItem(storeName()) ?? "[]") as string[];
  } catch {
    return [];
  }
}

function tellViewed(): void {
  const shown = files();
  const count = shown.filter((file) => file.querySelector<HTMLInputElement>("[data-diff-viewed]")?.checked).length;
  const place = document.querySelector("[data-viewed-count]");
  if (place) place.textContent = count ? text("{count} of {total} viewed", { count, total: shown.length }) : "";
}

function markInTree(file: HTMLElement, isViewed: boolean): void {
  document.querySelector(`[data-file="${file.id}"]`)?.classList.toggle("is-viewed", isViewed);
}

onEach<HTMLInputElement>("[data-diff-viewed]", (box) => {
  const file = box.closest<HTMLElement>(".diff-file");
  if (!file) return;
  if (viewed().includes(markOf(file))) {
    box.checked = true;
    fold(file, true);
    markInTree(file, true);
  }
  tellViewed();
  box.addEventListener("change", () => {
    const others = viewed().filter((mark) => mark !== markOf(file));
    const kept = box.checked ? [...others, markOf(file)] : others;
    localStorage.setItem(storeName(), JSON.stringify(kept.slice(-MOST_REMEMBERED)));
    fold(file, box.checked);
    markInTree(file, box.checked);
    tellViewed();
  });
});

// The tree

onEach<HTMLInputElement>("[data-diff-filter]", (field) => {
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase();
    const tree = field.parentElement?.querySelector(".tree");
    for (const link of tree?.querySelectorAll<HTMLElement>("a[data-file]") ?? []) {
      (link.parentElement as HTMLElement).hidden = !link.title.toLowerCase().includes(wanted);
    }
    for (const folder of [...(tree?.querySelectorAll<HTMLElement>("li:has(> details)") ?? [])].reverse()) {
      folder.hidden = !folder.querySelector("a[data-file]:not(li[hidden] > a)");
    }
  });
});

onEach<HTMLAnchorElement>("a[data-file]", (link) => {
  const file = document.getElementById(link.dataset["file"] ?? "");
  if (file?.querySelector<HTMLInputElement>("[data-diff-viewed]")?.checked) link.classList.add("is-viewed");
});

on("click", "a[data-file]", (link, event) => {
  const file = document.getElementById(link.dataset["file"] ?? "");
  // One on another page of the diff is a plain link.
  if (!file) return;
  event.preventDefault();
  history.replaceState(null, "", `#${file.id}`);
  go(file);
});

function go(file: HTMLElement): void {
  for (const link of document.querySelectorAll("a[data-file][aria-current]")) link.removeAttribute("aria-current");
  document.querySelector(`[data-file="${file.id}"]`)?.setAttribute("aria-current", "true");
  file.scrollIntoView({ block: "start" });
  file.querySelector<HTMLElement>("[data-diff-fold]")?.focus({ preventScroll: true });
}

// Keys: the next and the previous file.

document.addEventListener("keydown", (event) => {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || !/^[np]$/.test(event.key)) return;
  if (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName)) return;
  const all = files();
  const top = 120;
  const at = all.findLastIndex((file) => file.getBoundingClientRect().top <= top);
  const next = event.key === "n" ? all[at + 1] : all[Math.max(at - 1, 0)];
  if (next) go(next);
});

// Layout and pictures

on("click", "a[data-view]", (link) => {
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is not everywhere.
  document.cookie = `diff_view=${link.dataset["view"]}; path=/; max-age=31536000; samesite=lax`;
});

on("click", "[data-pictures]", (button) => {
  const pictures = button.closest<HTMLElement>(".pictures");
  if (!pictures) return;
  pictures.dataset["mode"] = button.dataset["pictures"] ?? "beside";
  for (const other of pictures.querySelectorAll("[data-pictures]")) {
    other.setAttribute("aria-pressed", String(other === button));
  }
});

on("input", ".pictures input[type=range]", (field) => {
  field.closest<HTMLElement>(".pictures")?.style.setProperty("--at", `${(field as HTMLInputElement).value}%`);
});
