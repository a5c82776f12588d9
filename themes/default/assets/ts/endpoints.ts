// Deployments: how one stands and what it prints, as it comes; and the engine's arguments, of which only those are
// sent that differ from its defaults.
import { onEach } from "./lib/dom";
import "./lib/refreshing";
import { text } from "./lib/texts";

// [data-follow-status=URL]: the part inside is asked for again whenever the stream tells of another state.
onEach<HTMLElement>("[data-follow-status]", (place) => {
  const source = new EventSource(place.dataset["followStatus"] ?? "");
  source.addEventListener("status", (event) => {
    const told = JSON.parse((event as MessageEvent<string>).data) as { status?: string };
    const part = place.querySelector<HTMLElement>("[data-status]");
    if (part && part.dataset["status"] !== told.status) window.htmx.trigger(part, "refresh", {});
  });
  window.addEventListener("pagehide", () => source.close());
});

const MOST_LINES = 5000;

// [data-follow-log=URL]: lines as they are printed, those that hold what is looked for.
onEach<HTMLElement>("[data-follow-log]", (place) => {
  const part = <E extends HTMLElement>(name: string) => place.querySelector(`[data-log${name}]`) as E;
  const shown = part<HTMLElement>("");
  const search = part<HTMLInputElement>("-search");
  const follow = part<HTMLInputElement>("-follow");
  const instance = place.querySelector<HTMLSelectElement>("[data-log-instance]");
  const state = part<HTMLElement>("-state");
  const waiting = state.textContent ?? "";
  let lines: string[] = [];
  let source: EventSource | undefined;
  let isDrawing = false;

  const draw = () => {
    isDrawing = false;
    const wanted = search.value.toLowerCase();
    const found = wanted ? lines.filter((line) => line.toLowerCase().includes(wanted)) : lines;
    shown.textContent = found.join("\n");
    state.textContent = lines.length
      ? text("{count} of {total} lines", { count: found.length, total: lines.length })
      : waiting;
    if (follow.checked) shown.scrollTop = shown.scrollHeight;
  };
  const drawSoon = () => {
    if (isDrawing) return;
    isDrawing = true;
    requestAnimationFrame(draw);
  };
  const open = () => {
    source?.close();
    lines = [];
    drawSoon();
    const url = new URL(place.dataset["followLog"] ?? "", location.href);
    if (instance?.value) url.searchParams.set("instance_name", instance.value);
    source = new EventSource(url);
    // After a break the hub tells the last lines again.
    source.addEventListener("open", () => {
      lines = [];
    });
    source.addEventListener("Container", (event) => {
      lines.push((event as MessageEvent<string>).data);
      if (lines.length > MOST_LINES) lines = lines.slice(-MOST_LINES);
      drawSoon();
    });
  };
  search.addEventListener("input", draw);
  follow.addEventListener("change", draw);
  instance?.addEventListener("change", open);
  part("-save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/plain" }));
    link.download = `${place.dataset["name"]}.log`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  window.addEventListener("pagehide", () => source?.close());
  open();
});

// [data-engine-args]: fields with data-arg and data-default, and a hidden one that is sent.
document.addEventListener(
  "submit",
  (event) => {
    const place = (event.target as HTMLElement).querySelector("[data-engine-args]");
    const hidden = place?.querySelector<HTMLInputElement>("input[type=hidden]");
    if (!place || !hidden) return;
    const told: Record<string, string> = {};
    for (const field of place.querySelectorAll<HTMLInputElement | HTMLSelectElement>("[data-arg]")) {
      const { arg = "", default: usual = "" } = field.dataset;
      const isSwitch = field instanceof HTMLInputElement && field.type === "checkbox";
      const wasOn = /^(true|1|on|yes)$/i.test(usual);
      if (isSwitch) {
        if (field.checked !== wasOn) told[arg] = String(field.checked);
      } else if (field.value && field.value !== usual) told[arg] = field.value;
    }
    hidden.value = JSON.stringify(told);
  },
  true,
);

// [data-traffic]: shares of versions (data-commit), which the button sends once they are a hundred together.
onEach<HTMLElement>("[data-traffic]", (place) => {
  const button = place.querySelector<HTMLButtonElement>("[data-traffic-save]");
  const total = place.querySelector<HTMLElement>("[data-traffic-total]");
  const fields = [...place.querySelectorAll<HTMLInputElement>("[data-commit]")];
  const count = () => {
    const shares = fields.map((field) => ({
      commit_id: field.dataset["commit"],
      traffic_percent: Number(field.value),
    }));
    const sum = shares.reduce((done, share) => done + share.traffic_percent, 0);
    const isGood = sum === 100 && fields.every((field) => field.validity.valid);
    if (total) total.textContent = isGood ? "" : text("{count} %; it must be 100 %", { count: sum });
    if (!button) return;
    button.disabled = !isGood;
    button.dataset["body"] = JSON.stringify(shares);
  };
  place.addEventListener("input", count);
  count();
});
