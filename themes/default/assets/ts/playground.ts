// The playground: one conversation with up to four models beside each other. What is said stays in this browser.
import { ApiError } from "./lib/api";
import { on } from "./lib/dom";
import "./lib/markdown";
import { type Model, renderMarkdown, showPlain, statsOf } from "./lib/playground/answers";
import * as chats from "./lib/playground/chats";
import { codeOf } from "./lib/playground/code";
import { setUpHistory } from "./lib/playground/history";
import { setUpPrompts, type Taken } from "./lib/playground/prompts";
import { streamChat } from "./lib/playground/stream";
import { text } from "./lib/texts";

const root = document.querySelector<HTMLElement>("[data-playground]");
if (root) start(root);

function start(root: HTMLElement): void {
  const part = <E extends HTMLElement>(name: string) => root.querySelector(`[data-${name}]`) as E;
  const models = JSON.parse(document.getElementById("playground-models")?.textContent ?? "[]") as Model[];
  const byName = new Map(models.map((model) => [model.name, model]));
  const { chatUrl = "", site = "", currency = "USD" } = root.dataset;
  const columns = part("columns");
  const settings = part<HTMLFormElement>("settings");
  const composer = part<HTMLFormElement>("composer");
  const draft = part<HTMLTextAreaElement>("draft");
  const send = part<HTMLButtonElement>("send");
  const stop = part<HTMLButtonElement>("stop");
  const add = part<HTMLButtonElement>("add-column");
  // Of the answers that are on their way, by column.
  const running = new Map<number, AbortController>();

  const asked = new URLSearchParams(location.search);
  const wanted = asked.getAll("model").filter((name) => byName.has(name));
  const first = models.find((model) => model.is_ready) ?? models[0];
  let chat = chats.newChat(wanted.length ? wanted.slice(0, chats.MOST_COLUMNS) : first ? [first.name] : []);

  const copyOf = (name: string) =>
    document.querySelector<HTMLTemplateElement>(`#${name}`)?.content.firstElementChild?.cloneNode(true) as HTMLElement;
  const within = <E extends HTMLElement>(element: Element, name: string) =>
    element.querySelector(`[data-${name}]`) as E;

  // Columns

  function drawColumns(): void {
    columns.replaceChildren(...chat.models.map(drawColumn));
    columns.dataset["count"] = String(chat.models.length);
    add.disabled = chat.models.length >= chats.MOST_COLUMNS;
    const url = new URL(location.href);
    url.searchParams.delete("model");
    for (const name of chat.models) url.searchParams.append("model", name);
    history.replaceState(history.state, "", url);
  }

  function drawColumn(name: string, place: number): HTMLElement {
    const column = copyOf("column-template");
    const choice = within<HTMLSelectElement>(column, "model");
    const about = within(column, "about");
    choice.append(
      ...models.map((model) => {
        const state = model.is_asleep ? text("asleep") : model.is_ready ? "" : text("not served");
        return new Option([model.name, state].filter(Boolean).join(" – "), model.name);
      }),
    );
    // Of a conversation that is older than what is served now.
    if (!byName.has(name)) choice.append(new Option(`${name} – ${text("not served")}`, name));
    choice.value = name;
    choice.setAttribute("aria-label", text("Model of column {place}", { place: place + 1 }));
    about.textContent = byName.get(name)?.about ?? "";
    choice.addEventListener("change", () => {
      chat.models[place] = choice.value;
      drawColumns();
      chats.keepChat(chat);
      (columns.children[place]?.querySelector("[data-model]") as HTMLElement | null)?.focus();
    });
    const remove = within<HTMLButtonElement>(column, "remove-column");
    remove.hidden = chat.models.length < 2;
    remove.addEventListener("click", () => {
      stopAll();
      chat.models.splice(place, 1);
      for (const turn of chat.turns) turn.answers.splice(place, 1);
      drawColumns();
      chats.keepChat(chat);
    });
    const log = within(column, "log");
    log.setAttribute("aria-label", text("Conversation with {model}", { model: name }));
    log.append(...chat.turns.map((_turn, at) => drawTurn(at, place)));
    const empty = within(column, "empty");
    empty.hidden = chat.turns.length > 0;
    return column;
  }

  add.addEventListener("click", () => {
    const unused = models.find((model) => !chat.models.includes(model.name)) ?? models[0];
    if (!unused || chat.models.length >= chats.MOST_COLUMNS) return;
    chat.models.push(unused.name);
    drawColumns();
    (columns.lastElementChild?.querySelector("[data-model]") as HTMLElement | null)?.focus();
  });

  // Turns

  function drawTurn(at: number, place: number): HTMLElement {
    const element = copyOf("turn-template");
    const turn = chat.turns[at];
    within(element, "user").textContent = turn?.user ?? "";
    within(element, "copy-user").dataset["copy"] = turn?.user ?? "";
    within(element, "edit").addEventListener("click", () => edit(element, at));
    within(element, "retry").addEventListener("click", () => retry(at, place));
    drawAnswer(element, turn?.answers[place] ?? null, false);
    return element;
  }

  function drawAnswer(element: HTMLElement, answer: chats.Answer | null, isComing: boolean): void {
    const place = within(element, "text");
    const [before, words] = chats.splitThought(answer?.text ?? "");
    const thought = [answer?.reasoning, before].filter(Boolean).join("\n");
    within(element, "thought-box").hidden = !thought;
    within(element, "thought").textContent = thought;
    element.setAttribute("aria-busy", String(isComing));
    if (isComing) showPlain(place, words);
    else if (place.dataset["words"] !== words) renderMarkdown(place, words);
    const fault = within(element, "error");
    fault.hidden = !answer?.error;
    within(element, "error-words").textContent = answer?.error ?? "";
    within(element, "stats").textContent = answer
      ? isComing && !answer.text && !answer.reasoning
        ? text("waits for the first word …")
        : statsOf(answer, byName.get(answer.model)?.prices ?? null, currency)
      : "";
    within(element, "tools").hidden = isComing || !answer;
    within(element, "copy-answer").dataset["copy"] = words;
  }

  const turnElement = (at: number, place: number) =>
    columns.children[place]?.querySelector("[data-log]")?.children[at] as HTMLElement | undefined;

  function edit(element: HTMLElement, at: number): void {
    const form = copyOf("edit-template") as HTMLFormElement;
    const field = within<HTMLTextAreaElement>(form, "words");
    field.value = chat.turns[at]?.user ?? "";
    const shown = within(element, "user-box");
    shown.hidden = true;
    shown.after(form);
    field.focus();
    const leave = () => {
      form.remove();
      shown.hidden = false;
      within(element, "edit").focus();
    };
    within(form, "leave").addEventListener("click", leave);
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") leave();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!field.value.trim()) return;
      stopAll();
      chat.turns.splice(at);
      ask(field.value);
    });
  }

  function retry(at: number, place: number): void {
    // What came after it was said to another answer.
    if (at < chat.turns.length - 1) {
      stopAll();
      chat.turns.splice(at + 1);
      drawColumns();
    }
    void answer(at, place);
  }

  // Asking

  function ask(words: string): void {
    readSettings();
    chat.turns.push({ user: words, answers: chat.models.map(() => null) });
    chats.keepChat(chat);
    drawColumns();
    const at = chat.turns.length - 1;
    for (const place of chat.models.keys()) void answer(at, place);
    turnElement(at, 0)?.scrollIntoView({ block: "nearest" });
  }

  async function answer(at: number, place: number): Promise<void> {
    const model = chat.models[place];
    const turn = chat.turns[at];
    const inChat = chat;
    if (!model || !turn) return;
    running.get(place)?.abort();
    const control = new AbortController();
    running.set(place, control);
    showRunning();
    const found: chats.Answer = { model, text: "", reasoning: "" };
    turn.answers[place] = found;
    const began = performance.now();
    let isDrawing = false;
    const draw = () => {
      isDrawing = false;
      const element = turnElement(at, place);
      if (!element || chat !== inChat || found.totalMs !== undefined) return;
      const log = element.parentElement as HTMLElement;
      const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
      drawAnswer(element, found, true);
      if (isAtEnd) log.scrollTop = log.scrollHeight;
    };
    draw();
    try {
      const members = { model, messages: chats.messagesOf(chat, place, at), ...chats.requestOf(chat.parameters) };
      await streamChat(chatUrl, members, control.signal, (heard) => {
        if (heard.text || heard.reasoning) found.firstMs ??= performance.now() - began;
        found.text += heard.text ?? "";
        found.reasoning += heard.reasoning ?? "";
        if (heard.usage) found.usage = heard.usage;
        if (heard.finish) found.finish = heard.finish;
        if (isDrawing) return;
        isDrawing = true;
        requestAnimationFrame(draw);
      });
    } catch (error) {
      if (control.signal.aborted) found.finish = "stopped";
      else found.error = wordsOf(error);
    }
    found.totalMs = performance.now() - began;
    if (running.get(place) === control) running.delete(place);
    showRunning();
    chats.keepChat(inChat);
    const element = turnElement(at, place);
    if (element && chat === inChat) {
      drawAnswer(element, found, false);
      const log = element.parentElement as HTMLElement;
      log.scrollTop = log.scrollHeight;
    }
  }

  function wordsOf(error: unknown): string {
    if (error instanceof SyntaxError) return text("The schema of the answer is no JSON.");
    if (!(error instanceof ApiError)) return String(error);
    const seconds = error.context["retryAfter"];
    const later = seconds ? text("Try again in {seconds} s.", { seconds: String(seconds) }) : "";
    return [error.message, later, error.code && `(${error.code})`].filter(Boolean).join(" ");
  }

  function showRunning(): void {
    const isRunning = running.size > 0;
    stop.hidden = !isRunning;
    send.hidden = isRunning;
    root.dataset["running"] = String(isRunning);
  }

  function stopAll(): void {
    for (const control of running.values()) control.abort();
    running.clear();
    showRunning();
  }

  stop.addEventListener("click", () => {
    stopAll();
    draft.focus();
  });
  composer.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = draft.value;
    if (!words.trim() || running.size) return;
    draft.value = "";
    ask(words);
  });
  draft.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    composer.requestSubmit();
  });

  // Settings

  type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;
  const fields = () =>
    [...settings.elements].filter((one): one is Field => "name" in one && Boolean((one as Field).name));

  function readSettings(): void {
    for (const field of fields()) {
      if (field.name === "system") chat.system = field.value;
      else chat.parameters[field.name] = field.value;
    }
  }

  function writeSettings(): void {
    for (const field of fields()) {
      field.value = field.name === "system" ? chat.system : (chat.parameters[field.name] ?? "");
    }
    showSchema();
  }

  const showSchema = () => {
    const format = settings.elements.namedItem("response_format") as HTMLSelectElement;
    part("schema-field").hidden = format.value !== "json_schema";
  };
  settings.addEventListener("input", () => {
    readSettings();
    showSchema();
    chats.keepChat(chat);
  });
  settings.addEventListener("submit", (event) => event.preventDefault());

  // Other conversations, code, prompts

  function open(other: chats.Chat): void {
    stopAll();
    chat = other;
    writeSettings();
    drawColumns();
    draft.focus();
  }

  on("click", "[data-new-chat]", () => {
    readSettings();
    open(chats.newChat([...chat.models], chat));
  });
  setUpHistory(document.getElementById("chats") as HTMLDialogElement, open);

  on("click", "[data-dialog=code]", () => {
    readSettings();
    for (const [name, words] of Object.entries(codeOf(chat, site, draft.value.trim()))) {
      const place = document.getElementById(`code-${name}`);
      if (place) place.textContent = words;
    }
  });

  const openPrompt = setUpPrompts(document.getElementById("prompts") as HTMLDialogElement, (taken: Taken) => {
    const fresh = chats.newChat([...chat.models], chat);
    if (taken.system) fresh.system = taken.system;
    fresh.turns = taken.said.map(({ user, assistant }) => ({
      user,
      answers: fresh.models.map((model) => ({ model, text: assistant, reasoning: "" })),
    }));
    open(fresh);
    draft.value = taken.question;
  });

  if (matchMedia("(width < 900px)").matches) settings.querySelector("details")?.removeAttribute("open");
  writeSettings();
  drawColumns();
  const prompt = asked.get("prompt");
  if (prompt) openPrompt(prompt);
  root.dataset["ready"] = "";
}
