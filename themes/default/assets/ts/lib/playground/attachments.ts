// Files beside a question: pictures, sound and texts, chosen, pasted or dropped; and how they look.
import { icon, make } from "../dom";
import { language, text } from "../texts";
import { tellError } from "../toasts";

/** data: a text's words; of pictures and sound the bytes in base64. */
export interface Attachment {
  kind: "image" | "audio" | "text";
  name: string;
  type: string;
  data: string;
}

export type ContentPart =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: { url: string } }
  | { type: "input_audio"; input_audio: { data: string; format: string } };

const MOST_FILES = 10;
// What models are shown; others are no picture to them.
const PICTURES = /^image\/(png|jpeg|webp|gif)$/;
const SOUND = /^audio\//;
const FORMATS: Record<string, string> = { mpeg: "mp3", "x-wav": "wav", wave: "wav", "x-m4a": "m4a", mp4: "m4a" };

export const addressOf = (file: Attachment): string => `data:${file.type};base64,${file.data}`;

// A conversation is drawn again and again; a sound has one address all the while.
const addresses = new WeakMap<Attachment, string>();

/** Where players find a sound: the page's rules let none play from a data address. */
function playable(file: Attachment): string {
  const known = addresses.get(file);
  if (known) return known;
  const bytes = Uint8Array.from(atob(file.data), (one) => one.charCodeAt(0));
  const made = URL.createObjectURL(new Blob([bytes], { type: file.type }));
  addresses.set(file, made);
  return made;
}

/** The word for a sound's kind: "audio/mpeg" is "mp3". */
export function formatOf(file: Attachment): string {
  const word = file.type.replace(/^audio\//, "").replace(/;.*/, "");
  return FORMATS[word] ?? word;
}

/** A file as a part of a message. */
export function partOf(file: Attachment): ContentPart {
  if (file.kind === "image") return { type: "image_url", image_url: { url: addressOf(file) } };
  if (file.kind === "audio") return { type: "input_audio", input_audio: { data: file.data, format: formatOf(file) } };
  return { type: "text", text: `${file.name}:\n\n${file.data}` };
}

/** How much of a request it takes. */
export const sizeOf = (file: Attachment): number => file.data.length;

/** A file's bytes in base64. */
export function base64Of(file: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(String(reader.result).replace(/^[^,]*,/, "")));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}

const mebibytes = (bytes: number): string => {
  const count = bytes / 1024 / 1024;
  return `${count.toLocaleString(language, { maximumFractionDigits: 1 })} MiB`;
};

async function read(file: File): Promise<Attachment> {
  const { name, type } = file;
  const kind = PICTURES.test(type) ? "image" : SOUND.test(type) ? "audio" : "text";
  if (kind !== "text") return { kind, name, type, data: await base64Of(file) };
  try {
    const words = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    if (words.includes("\0")) throw new TypeError();
    return { kind, name, type: "text/plain", data: words };
  } catch {
    throw new Error(text("{name} is no picture, no sound and no text.", { name }));
  }
}

/** A file as it stands in a conversation. remove: what a button at it does. */
export function drawFile(file: Attachment, remove?: () => void): HTMLElement {
  const box = make("div", { class: `attached ${file.kind}`, "data-testid": "playground.attached" });
  if (file.kind === "image") box.append(make("img", { src: addressOf(file), alt: file.name }));
  else if (file.kind === "audio" && !remove) {
    box.append(make("audio", { src: playable(file), controls: "", "aria-label": file.name }));
  } else {
    const sign = icon(file.kind === "audio" ? "music" : "file-text");
    box.append(sign, make("span", { class: "clamp small" }, file.name));
  }
  if (!remove) return box;
  const label = text("Leave {name} out", { name: file.name });
  const button = make("button", { type: "button", class: "button bare tiny square", "aria-label": label }, icon("x"));
  button.addEventListener("click", remove);
  box.append(button);
  return box;
}

/** The files of the question that is being written. */
export interface Tray {
  take(): Attachment[];
  readonly count: number;
  /** How much of a request they take. */
  readonly size: number;
}

/**
 * Set up the files of a form: a button that chooses ([data-attach]), a place that shows them ([data-attached]), the
 * field into which they are pasted, and the form, on which they are dropped. mostBytes: of one question, as requests
 * carry it.
 */
export function setUpTray(form: HTMLFormElement, field: HTMLTextAreaElement, mostBytes: number): Tray {
  const chooser = make("input", { type: "file", multiple: "", hidden: "", "data-testid": "playground.files" });
  const shown = form.querySelector("[data-attached]") as HTMLElement;
  const button = form.querySelector("[data-attach]") as HTMLButtonElement;
  let files: Attachment[] = [];
  form.append(chooser);

  const sizeOfAll = () => files.reduce((sum, one) => sum + sizeOf(one), 0);

  const draw = () => {
    const boxes = files.map((file) =>
      drawFile(file, () => {
        files = files.filter((one) => one !== file);
        draw();
        button.focus();
      }),
    );
    shown.replaceChildren(...boxes);
    shown.hidden = !files.length;
  };

  const add = async (chosen: Iterable<File>) => {
    for (const file of chosen) {
      const left = mostBytes - sizeOfAll();
      if (files.length >= MOST_FILES)
        throw new Error(text("A question has {count} files at most.", { count: MOST_FILES }));
      // Before it is read: it may be a film. Base64 makes four of three.
      if (file.size * 4 > left * 3) {
        const most = mebibytes((mostBytes * 3) / 4);
        throw new Error(
          text("{name} is too large: the files of a question have {size} at most.", { name: file.name, size: most }),
        );
      }
      files = [...files, await read(file)];
      draw();
    }
  };
  const attach = (chosen: Iterable<File>) => void add(chosen).catch(tellError);

  button.addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    attach([...(chooser.files ?? [])]);
    chooser.value = "";
  });
  field.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (!pasted.length) return;
    event.preventDefault();
    attach(pasted);
  });
  form.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
  form.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    attach([...event.dataTransfer.files]);
  });
  return {
    take() {
      const taken = files;
      files = [];
      draw();
      return taken;
    },
    get count() {
      return files.length;
    },
    get size() {
      return sizeOfAll();
    },
  };
}
