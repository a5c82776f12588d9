// The playground: one conversation with up to four models beside each other. What is said stays in this browser.
import { on } from "./lib/dom";
import "./lib/markdown";
import type { Model } from "./lib/playground/answers";
import { setUpTray, sizeOf } from "./lib/playground/attachments";
import * as chats from "./lib/playground/chats";
import { codeOfChat, fillCode, leftOut } from "./lib/playground/code";
import { faultOf } from "./lib/playground/faults";
import { setUpHistory } from "./lib/playground/history";
import { setUpPrompts, type Taken } from "./lib/playground/prompts";
import { keepChat, listHeads } from "./lib/playground/store";
import { streamChat } from "./lib/playground/stream";
import { addCalls } from "./lib/playground/tools";
import { copyOf, drawAnswer, drawTurn, type Surroundings, within } from "./lib/playground/turns";
import * as votes from "./lib/playground/votes";
import { text } from "./lib/texts";
import { tell } from "./lib/toasts";

// Of what a request may have; the rest is for the words and what was said before.
const FILES_SHARE = 0.6;

const root = document.querySelector<HTMLElement>("[data-playground]");
if (root) start(root);

function start(root: HTMLElement): void {
  const part = <E extends HTMLElement>(name: string) => within<E>(root, name);
  const models = JSON.parse(document.getElementById("playground-models")?.textContent ?? "[]") as Model[];
  const byName = new Map(models.map((model) => [model.name, model]));
  const { callUrl = "", site = "", currency = "USD", readinessUrl = "", keysUrl = "", mostBytes = "0" } = root.dataset;
  const columns = part("columns");
  const settings = part<HTMLFormElement>("settings");
  const composer = part<HTMLFormElement>("composer");
  const draft = part<HTMLTextAreaElement>("draft");
  const send = part<HTMLButtonElement>("send");
  const stop = part<HTMLButtonElement>("stop");
  const add = part<HTMLButtonElement>("add-column");
  const blind = part<HTMLButtonElement>("blind");
  const code = root.querySelector("[data-dialog=code]") as HTMLButtonElement;
  const ballot = part("ballot");
  const tray = setUpTray(composer, draft, Number(mostBytes) * FILES_SHARE);
  // Of the answers that are on their way, by column.
  const running = new Map<number, AbortController>();

  const asked = new URLSearchParams(location.search);
  const wanted = asked.getAll("model").filter((name) => byName.has(name));
  const first = models.find((model) => model.is_ready) ?? models[0];
  let chat = chats.newChat(wanted.length ? wanted.slice(0, chats.MOST_COLUMNS) : first ? [first.name] : []);

  const isHidden = () => votes.isHidden(chat);
  let isRefused = false;
  const keep = () =>
    void keepChat(chat).then((isKept) => {
      if (!isKept && !isRefused) tell(text("This browser does not keep the conversation: it has no room."));
      isRefused = !isKept;
    });

  const around: Surroundings = {
    models: byName,
    currency,
    places: { readiness: readinessUrl, keys: keysUrl },
    isHidden,
    deeds: {
      edit(at, words) {
        stopAll();
        const files = chat.turns[at]?.files;
        chats.branch(chat, at, { user: words, answers: chat.models.map(() => null), ...(files && { files }) });
        askAll(at);
      },
      retry(at, place) {
        // What came after it was said to another answer; both stay.
        const turn = chat.turns[at];
        if (!turn) return;
        stopAll();
        const { fork: _fork, vote: _vote, ...same } = turn;
        chats.branch(chat, at, { ...same, answers: turn.answers.with(place, null) });
        drawColumns();
        void answer(at, place);
      },
      goOn(at, place) {
        const found = chat.turns[at]?.answers[place];
        if (!found) return;
        const { text: words, reasoning, calls } = found;
        const isAnswered = calls?.length && !found.error;
        void answer(at, place, [...(found.before ?? []), ...(isAnswered ? [{ text: words, reasoning, calls }] : [])]);
      },
      goTo(at, way) {
        stopAll();
        chats.goTo(chat, at, way);
        drawColumns();
        keep();
        turnElement(at, 0)?.querySelector<HTMLElement>("[data-ways] button:enabled")?.focus();
      },
      keep,
    },
  };

  // Columns

  function drawColumns(): void {
    columns.replaceChildren(...chat.models.map(drawColumn));
    columns.dataset["count"] = String(chat.models.length);
    add.disabled = chat.models.length >= chats.MOST_COLUMNS || isHidden();
    // Code names the model.
    code.disabled = isHidden();
    blind.disabled = models.length < 2;
    blind.setAttribute("aria-pressed", String(Boolean(chat.isBlind)));
    drawBallot();
    const url = new URL(location.href);
    url.searchParams.delete("model");
    // The address does not tell either who is who.
    const names = isHidden() ? [...chat.models].sort() : chat.models;
    for (const name of names) url.searchParams.append("model", name);
    history.replaceState(history.state, "", url);
  }

  function drawColumn(name: string, place: number): HTMLElement {
    const column = copyOf("column-template");
    const choice = within<HTMLSelectElement>(column, "model");
    const letter = within(column, "letter");
    const log = within(column, "log");
    letter.hidden = !chat.isBlind;
    letter.textContent = votes.letterOf(place);
    if (isHidden()) choice.remove();
    else {
      drawChoice(choice, name, place);
      within(column, "about").textContent = byName.get(name)?.about ?? "";
    }
    const remove = within<HTMLButtonElement>(column, "remove-column");
    remove.hidden = chat.models.length < 2 || isHidden();
    remove.addEventListener("click", () => {
      stopAll();
      chats.removeColumn(chat, place);
      drawColumns();
      keep();
    });
    const called = isHidden() ? votes.letterOf(place) : name;
    log.setAttribute("aria-label", text("Conversation with {model}", { model: called }));
    log.append(...chat.turns.map((_turn, at) => drawTurn(chat, at, place, around)));
    within(column, "empty").hidden = chat.turns.length > 0;
    return column;
  }

  function drawChoice(choice: HTMLSelectElement, name: string, place: number): void {
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
    choice.addEventListener("change", () => {
      chat.models[place] = choice.value;
      drawColumns();
      keep();
      columns.children[place]?.querySelector<HTMLElement>("[data-model]")?.focus();
    });
  }

  function addColumn(): boolean {
    const unused = models.find((model) => !chat.models.includes(model.name));
    const other = unused ?? models[0];
    if (!other || chat.models.length >= chats.MOST_COLUMNS) return false;
    chat.models.push(other.name);
    return Boolean(unused);
  }
  add.addEventListener("click", () => {
    addColumn();
    drawColumns();
    columns.lastElementChild?.querySelector<HTMLElement>("[data-model]")?.focus();
  });

  // Blind: the columns change places, and nothing tells whose they are, until there is a vote.
  blind.addEventListener("click", () => {
    const isBlind = !chat.isBlind;
    // What was said so far is known to be whose it is.
    if (isBlind || chat.turns.length) open(chats.newChat([...chat.models], chat));
    if (isBlind) {
      while (chat.models.length < 2 && addColumn());
      chat.models = votes.shuffled(chat.models);
    }
    chat.isBlind = isBlind;
    drawColumns();
    draft.focus();
  });

  function drawBallot(): void {
    const at = chat.turns.length - 1;
    const turn = chat.turns[at];
    // A column that came later has no answer to it.
    const isAnswered = (place: number) => turn?.answers[place] && !turn.answers[place].error;
    const isDue = chat.models.length > 1 && !running.size && chat.models.every((_model, place) => isAnswered(place));
    // Of a blind one the first vote says who is who; a second would know.
    ballot.hidden = !isDue || Boolean(chat.isBlind && votes.isRevealed(chat) && !turn?.vote);
    if (ballot.hidden || !turn) return;
    const buttons = votes.drawVote(chat, turn.vote, (word) => {
      if (turn.vote === word && !chat.isBlind) delete turn.vote;
      else turn.vote = word;
      drawColumns();
      ballot.querySelector<HTMLElement>("[aria-pressed=true]")?.focus();
      void keepChat(chat).then(drawStandings);
    });
    for (const button of buttons) {
      if (button instanceof HTMLButtonElement) button.disabled = Boolean(chat.isBlind && turn.vote);
    }
    ballot.replaceChildren(...buttons);
  }

  async function drawStandings(): Promise<void> {
    part("standings").replaceChildren(
      ...votes.drawStandings(votes.standingsOf((await listHeads()).flatMap((head) => head.votes))),
    );
  }

  // Asking

  function askAll(at: number): void {
    keep();
    drawColumns();
    for (const place of chat.models.keys()) void answer(at, place);
    turnElement(at, 0)?.scrollIntoView({ block: "nearest" });
  }

  const turnElement = (at: number, place: number) =>
    columns.children[place]?.querySelector("[data-log]")?.children[at] as HTMLElement | undefined;

  async function answer(at: number, place: number, before: chats.Round[] = []): Promise<void> {
    const model = chat.models[place];
    const turn = chat.turns[at];
    const inChat = chat;
    if (!model || !turn) return;
    running.get(place)?.abort();
    const control = new AbortController();
    running.set(place, control);
    showRunning();
    const found: chats.Answer = { model, text: "", reasoning: "", ...(before.length && { before }) };
    turn.answers[place] = found;
    const began = performance.now();
    let isDrawing = false;
    // Another conversation, or another way on, may be shown by now.
    const isShown = () => chat === inChat && chat.turns[at] === turn;
    const draw = () => {
      isDrawing = false;
      const element = turnElement(at, place);
      if (!element || !isShown() || found.totalMs !== undefined) return;
      const log = element.parentElement as HTMLElement;
      const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
      drawAnswer(element, chat, at, place, around, true);
      if (isAtEnd) log.scrollTop = log.scrollHeight;
    };
    draw();
    try {
      const members = { model, messages: chats.messagesOf(chat, place, at), ...chats.requestOf(chat.parameters) };
      await streamChat(callUrl, members, control.signal, (heard) => {
        if (heard.text || heard.reasoning || heard.calls) found.firstMs ??= performance.now() - began;
        found.text += heard.text ?? "";
        found.reasoning += heard.reasoning ?? "";
        if (heard.calls) addCalls(found, heard.calls);
        if (heard.usage) found.usage = heard.usage;
        if (heard.finish) found.finish = heard.finish;
        if (isDrawing) return;
        isDrawing = true;
        requestAnimationFrame(draw);
      });
    } catch (error) {
      if (control.signal.aborted) found.finish = "stopped";
      else Object.assign(found, faultOf(error));
    }
    found.totalMs = performance.now() - began;
    if (running.get(place) === control) running.delete(place);
    void keepChat(inChat);
    showRunning();
    const element = turnElement(at, place);
    if (!element || !isShown()) return;
    drawAnswer(element, chat, at, place, around, false);
    const log = element.parentElement as HTMLElement;
    log.scrollTop = log.scrollHeight;
  }

  function showRunning(): void {
    const isRunning = running.size > 0;
    stop.hidden = !isRunning;
    send.hidden = isRunning;
    root.dataset["running"] = String(isRunning);
    drawBallot();
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
    if (!(words.trim() || tray.count) || running.size) return;
    const said = chat.turns.flatMap((turn) => turn.files ?? []);
    if (said.reduce((sum, file) => sum + sizeOf(file), tray.size) > Number(mostBytes) * FILES_SHARE) {
      tell(text("The files of this conversation are too large for one more request. Begin a new one."));
      return;
    }
    readSettings();
    const files = tray.take();
    draft.value = "";
    chat.turns.push({ user: words, answers: chat.models.map(() => null), ...(files.length && { files }) });
    askAll(chat.turns.length - 1);
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
  });
  settings.addEventListener("change", keep);
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
    const fresh = chats.newChat(chat.isBlind ? votes.shuffled(chat.models) : [...chat.models], chat);
    if (chat.isBlind) fresh.isBlind = true;
    open(fresh);
  });
  setUpHistory(document.getElementById("chats") as HTMLDialogElement, open);

  on("click", "[data-dialog=code]", () => {
    readSettings();
    showCode();
  });
  const style = document.querySelector("[data-code-style]") as HTMLSelectElement;
  const showCode = () => fillCode(codeOfChat(chat, site, style.value, draft.value.trim()), leftOut(chat, style.value));
  style.addEventListener("change", showCode);

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
  void drawStandings();
  const prompt = asked.get("prompt");
  if (prompt) openPrompt(prompt);
  root.dataset["ready"] = "";
}
