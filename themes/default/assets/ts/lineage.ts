// Draws the graph that the page carries as JSON: layers from what it comes from down to what comes from it.
import dagre from "@dagrejs/dagre";
import { on } from "./lib/dom";

interface Node {
  id: string;
  title: string;
  kind: string;
  url: string;
  form: "" | "run" | "private" | "outside";
}

interface Edge {
  source: string;
  target: string;
  type: string;
  trusted: boolean;
}

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 220;
const HEIGHT = 46;
const TITLE_CHARS = 30;

function draw<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number>,
  ...children: (globalThis.Node | string)[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** The end of a path tells more than its beginning. */
const cut = (title: string): string => (title.length > TITLE_CHARS ? `…${title.slice(1 - TITLE_CHARS)}` : title);

function drawNode(node: Node, x: number, y: number, isRoot: boolean): SVGElement {
  const classes = `node ${node.form} ${isRoot ? "root" : ""}`;
  const parts = [
    draw("title", {}, node.title || node.kind),
    draw("rect", { width: WIDTH, height: HEIGHT, rx: 6 }),
    draw("text", { class: "kind", x: 10, y: 17 }, node.kind),
    draw("text", { x: 10, y: 35 }, cut(node.title) || "—"),
  ];
  const place = { class: classes, transform: `translate(${x - WIDTH / 2} ${y - HEIGHT / 2})` };
  return node.url ? draw("a", { ...place, href: node.url }, ...parts) : draw("g", place, ...parts);
}

interface Data {
  root: string;
  nodes: Node[];
  edges: Edge[];
  /** What the types of edges are called. */
  words: Record<string, string>;
}

function drawGraph(data: Data): SVGSVGElement {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 24, ranksep: 56, marginx: 24, marginy: 24 });
  for (const node of data.nodes) graph.setNode(node.id, { width: WIDTH, height: HEIGHT });
  // What something comes from stands above it.
  data.edges.forEach((edge, at) => {
    graph.setEdge(edge.target, edge.source, { label: edge.type }, String(at));
  });
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const svg = draw("svg", { class: "lineage", viewBox: `0 0 ${width} ${height}`, width, height, role: "img" });
  svg.setAttribute("aria-label", document.querySelector(".lineage-stage")?.getAttribute("aria-label") ?? "");
  data.edges.forEach((edge, at) => {
    const { points } = graph.edge({ v: edge.target, w: edge.source, name: String(at) });
    const path = points.map(({ x, y }, step) => `${step ? "L" : "M"}${x} ${y}`).join("");
    const middle = points[Math.floor(points.length / 2)] ?? { x: 0, y: 0 };
    svg.append(
      draw("path", { class: `edge ${edge.trusted ? "trusted" : ""}`, d: path }),
      draw("text", { class: "edge-label", x: middle.x, y: middle.y - 3 }, data.words[edge.type] ?? edge.type),
    );
  });
  for (const node of data.nodes) {
    const { x, y } = graph.node(node.id);
    svg.append(drawNode(node, x, y, node.id === data.root));
  }
  return svg;
}

const stage = document.querySelector<HTMLElement>(".lineage-stage");
const source = document.getElementById("lineage-data")?.textContent;
if (stage && source) {
  stage.hidden = false;
  const svg = drawGraph(JSON.parse(source));
  // Its links are reached by keys, so it is a group of them and no picture.
  svg.setAttribute("role", "group");
  stage.append(svg);
  const root = svg.querySelector(".root");
  const scale = (by: number) => {
    svg.setAttribute("width", String(Number(svg.getAttribute("width")) * by));
    svg.setAttribute("height", String(Number(svg.getAttribute("height")) * by));
  };
  if (svg.width.baseVal.value > stage.clientWidth * 1.6) scale(0.75);
  root?.scrollIntoView({ block: "nearest", inline: "center" });
  scrollTo(0, 0);
  on("click", "[data-zoom]", (button) => scale(Number(button.dataset["zoom"])));
}
