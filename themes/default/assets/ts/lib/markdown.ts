// What Markdown needs beside its HTML, on pages that have such blocks: copy buttons of code, mathematics, diagrams.
import { icon, make, onEach } from "./dom";
import { text } from "./texts";

/** A button that copies a block of code. */
function addCopyButton(block: HTMLElement): void {
  const button = make(
    "button",
    { type: "button", class: "button tiny square", "aria-label": text("Copy"), title: text("Copy") },
    icon("copy"),
  );
  button.dataset["copy"] = block.textContent ?? "";
  const frame = make("div", { class: "code-block" });
  block.replaceWith(frame);
  frame.append(block, button);
}

/** The address that the page gives for a file, by the name of a <meta>. */
const addressOf = (name: string): string =>
  document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";

let maths: Promise<typeof import("katex").default> | undefined;

/** Mathematics as KaTeX sets it. What it cannot read stays as it was written. */
async function drawMaths(element: HTMLElement): Promise<void> {
  maths ??= import("katex").then((module) => {
    document.head.append(make("link", { rel: "stylesheet", href: addressOf("maths") }));
    return module.default;
  });
  const source = element.textContent ?? "";
  const options = { displayMode: element.classList.contains("block"), maxExpand: 500, maxSize: 20, trust: false };
  try {
    (await maths).render(source, element, { ...options, strict: "ignore" });
    element.dataset["drawn"] = "";
  } catch {
    element.textContent = source;
    element.title = text("This formula cannot be read.");
  }
}

// What draws diagrams is larger than most pages, so it comes with the first one that is seen, or nearly.
const NEAR_PX = 150;
const undrawn = new Set<HTMLElement>();
const near = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) if (entry.isIntersecting) drawDiagram(entry.target as HTMLElement);
  },
  { rootMargin: `${NEAR_PX}px 0px` },
);

function drawWhenNear(block: HTMLElement): void {
  undrawn.add(block);
  near.observe(block);
}

let frames = 0;

/** A diagram, drawn in a frame that has no part in the hub: all it is given is the text, all it says is its height. */
function drawDiagram(block: HTMLElement): void {
  near.unobserve(block);
  if (!undrawn.delete(block) || !block.isConnected) return;
  const source = block.textContent ?? "";
  const id = String(++frames);
  const frame = make("iframe", {
    src: "/-/diagram",
    sandbox: "allow-scripts",
    title: text("Diagram"),
    height: "80",
    "data-testid": "markdown.diagram",
  });
  const send = () => {
    frame.contentWindow?.postMessage({ id, source, theme: isDark() ? "dark" : "neutral" }, "*");
  };
  window.addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow) return;
    const said = event.data as { ready?: boolean; id?: string; height?: number; fault?: string };
    if (said.ready) send();
    else if (said.fault !== undefined) shell.replaceWith(block);
    else if (typeof said.height === "number") {
      frame.height = String(Math.min(Math.max(said.height, 40), 2000));
      frame.dataset["drawn"] = "";
    }
  });
  document.addEventListener("hub:theme", send);
  // For those who do not see it, the text that it is drawn from; on paper it stands for what is not drawn yet.
  const shell = make("div", { class: "diagram" }, frame, make("pre", { class: "unseen" }, source));
  block.replaceWith(shell);
}

function isDark(): boolean {
  const theme = document.documentElement.dataset["theme"];
  return theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
}

onEach(".markdown pre.code", addCopyButton);
onEach(".markdown .maths:not([data-drawn])", (element) => void drawMaths(element));
onEach(".markdown pre.mermaid-source", drawWhenNear);
// Paper shows all of them. Browsers do not wait for frames that are asked for now; the next print has them.
window.addEventListener("beforeprint", () => undrawn.forEach(drawDiagram));
