// The playground's other modes: one call, what came of it, and the same as code.
import { on } from "./lib/dom";
import { type Model, statsOf } from "./lib/playground/answers";
import { codeOf, fillCode } from "./lib/playground/code";
import { drawWaysOut, faultOf } from "./lib/playground/faults";
import { type Came, type Json, MODES } from "./lib/playground/modes";
import { ask, streamChat, type UsageSaid, usageOf } from "./lib/playground/stream";
import { within } from "./lib/playground/turns";
import { language, text } from "./lib/texts";

// Of an answer, so much of each text is shown: pictures and vectors are long.
const MOST_SHOWN = 200;

const root = document.querySelector<HTMLElement>("[data-try]");
if (root) start(root);

function start(root: HTMLElement): void {
  const part = <E extends HTMLElement>(name: string) => within<E>(root, name);
  const { mode: word = "", callUrl = "", readinessUrl = "", keysUrl = "", site = "", currency = "USD" } = root.dataset;
  const mode = MODES[word];
  if (!mode) return;
  const models = JSON.parse(document.getElementById("playground-models")?.textContent ?? "[]") as Model[];
  const form = part<HTMLFormElement>("ask");
  const choice = part<HTMLSelectElement>("model");
  const [send, stop] = [part<HTMLButtonElement>("send"), part<HTMLButtonElement>("stop")];
  const file = form.elements.namedItem("file") as HTMLInputElement | null;
  const mostBytes = Number(root.dataset["mostBytes"]);
  let control: AbortController | undefined;

  /** What the form asks for; what is empty is not sent. */
  function membersOf(): Json {
    const members: Json = { model: choice.value };
    for (const field of [...form.elements] as HTMLInputElement[]) {
      if (!field.name || field.type === "file" || field.value === "") continue;
      if (field.dataset["kind"] === "lines")
        members[field.name] = field.value.split("\n").filter((line) => line.trim());
      else members[field.name] = field.type === "number" ? Number(field.value) : field.value;
    }
    return members;
  }

  const told = (members: Json): Json | FormData => {
    const chosen = file?.files?.[0];
    if (!chosen) return members;
    const sent = new FormData();
    for (const [name, value] of Object.entries(members)) sent.set(name, String(value));
    sent.set("file", chosen);
    return sent;
  };

  async function answerOf(members: Json, signal: AbortSignal, see: (came: Came) => void): Promise<Came> {
    const came: Came = { asked: members, data: {} };
    if (mode?.streams) {
      let words = "";
      await streamChat(callUrl, members, signal, (heard) => {
        words += heard.text ?? "";
        came.data = { text: words, ...(heard.usage && { heard: heard.usage }) };
        see(came);
      });
      return came;
    }
    const answer = await ask(callUrl, told(members), signal);
    if (answer.headers.get("Content-Type")?.includes("json")) came.data = (await answer.json()) as Json;
    else came.blob = await answer.blob();
    return came;
  }

  function statsFor(came: Came, totalMs: number): string {
    const model = choice.value;
    const heard = came.data["heard"] as ReturnType<typeof usageOf> | undefined;
    const said = came.data["usage"] as UsageSaid | undefined;
    const usage = heard ?? (said?.prompt_tokens || said?.total_tokens ? usageOf(said) : undefined);
    const prices = models.find((one) => one.name === model)?.prices ?? null;
    return statsOf({ model, text: "", reasoning: "", totalMs, ...(usage && { usage }) }, prices, currency);
  }

  function show(came: Came): void {
    part("answer").replaceChildren(...(mode?.draw(came) ?? []));
    part("whole").hidden = Boolean(came.blob || mode?.streams);
    part("whole-words").textContent = JSON.stringify(came.data, shorten, 2);
  }

  async function run(): Promise<void> {
    control?.abort();
    const own = new AbortController();
    control = own;
    setRunning(true);
    part("empty").hidden = true;
    part("error").hidden = true;
    part("answer").replaceChildren();
    part("whole").hidden = true;
    const began = performance.now();
    const timer = setInterval(() => {
      const seconds = ((performance.now() - began) / 1000).toLocaleString(language, { maximumFractionDigits: 0 });
      part("stats").textContent = text("{seconds} s", { seconds });
    }, 1000);
    try {
      const came = await answerOf(membersOf(), own.signal, show);
      show(came);
      part("stats").textContent = statsFor(came, performance.now() - began);
    } catch (error) {
      if (control !== own) return;
      if (own.signal.aborted) part("stats").textContent = text("stopped");
      else tellFault(error);
    } finally {
      clearInterval(timer);
      if (control === own) setRunning(false);
    }
  }

  function tellFault(fault: unknown): void {
    const { error, code } = faultOf(fault);
    part("stats").textContent = "";
    part("error").hidden = false;
    part("error-words").textContent = error;
    const places = { readiness: readinessUrl, keys: keysUrl };
    part("ways-out").replaceChildren(...drawWaysOut(code, choice.value, places, () => void run()));
  }

  function setRunning(isRunning: boolean): void {
    root.dataset["running"] = String(isRunning);
    send.hidden = isRunning;
    stop.hidden = !isRunning;
  }

  function showModel(): void {
    part("about").textContent = models.find((one) => one.name === choice.value)?.about ?? "";
    const url = new URL(location.href);
    url.searchParams.set("model", choice.value);
    url.searchParams.set("mode", word);
    history.replaceState(history.state, "", url);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void run();
  });
  stop.addEventListener("click", () => {
    control?.abort();
    form.querySelector<HTMLElement>("textarea, input")?.focus();
  });
  choice.addEventListener("change", showModel);
  file?.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    const isTooLarge = chosen !== undefined && chosen.size > mostBytes;
    file.setCustomValidity(isTooLarge ? text("This recording is too large.") : "");
    file.reportValidity();
    const player = part<HTMLAudioElement>("heard");
    player.hidden = !chosen || isTooLarge;
    if (chosen) player.src = URL.createObjectURL(chosen);
  });

  on("click", "[data-dialog=code]", () => {
    const { sample } = mode;
    const body = membersOf();
    for (const field of [...form.elements] as HTMLInputElement[]) {
      // Code that nobody has filled in yet runs all the same.
      if (field.required && field.name && field.type !== "file")
        body[field.name] ??= field.dataset["kind"] ? ["Hello!"] : "Hello!";
    }
    const recording = file ? (file.files?.[0]?.name ?? "recording.wav") : undefined;
    const into = sample.into && `${sample.into}.${body["response_format"]}`;
    fillCode(
      codeOf({
        ...sample,
        site,
        style: "openai",
        route: mode.route,
        body,
        ...(recording && { file: recording }),
        ...(into && { into }),
      }),
    );
  });

  const wanted = new URLSearchParams(location.search)
    .getAll("model")
    .find((name) => models.some((one) => one.name === name));
  const ready = models.find((one) => one.is_ready);
  choice.value = wanted ?? ready?.name ?? models[0]?.name ?? "";
  showModel();
  root.dataset["ready"] = "";
}

/** What of an answer is shown as it is. */
function shorten(_name: string, value: unknown): unknown {
  if (typeof value === "string" && value.length > MOST_SHOWN) return `${value.slice(0, MOST_SHOWN)}…`;
  if (Array.isArray(value) && value.length > 8 && value.every((one) => typeof one === "number")) {
    return [...value.slice(0, 8), "…"];
  }
  return value;
}
