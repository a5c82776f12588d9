// Draws one diagram in a frame without rights. The page around sends its text; nothing else comes in or goes out.
import mermaid from "mermaid";

interface Order {
  id: string;
  source: string;
  theme: "dark" | "neutral";
}

const place = document.getElementById("diagram") as HTMLElement;
let drawn = 0;

async function draw({ id, source, theme }: Order): Promise<void> {
  // Labels are text of SVG: HTML in them would be looked at by the browser while it is measured.
  mermaid.initialize({
    startOnLoad: false,
    securityLevel: "strict",
    htmlLabels: false,
    secure: ["secure", "securityLevel", "startOnLoad", "maxTextSize", "maxEdges", "htmlLabels", "flowchart"],
    theme,
    maxTextSize: 50_000,
    maxEdges: 500,
  });
  try {
    const { svg } = await mermaid.render(`drawn-${++drawn}`, source);
    place.innerHTML = svg;
    place.setAttribute("aria-label", source.slice(0, 200));
    parent.postMessage({ id, height: Math.ceil(place.getBoundingClientRect().height) + 16 }, "*");
  } catch (error) {
    parent.postMessage({ id, fault: String(error) }, "*");
  }
}

window.addEventListener("message", (event) => {
  if (event.source === parent) void draw(event.data as Order);
});
parent.postMessage({ ready: true }, "*");
