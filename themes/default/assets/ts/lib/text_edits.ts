// What the tools of a Markdown field do to its text. The browser's own undo keeps working.

/** Put a text in the place of what is marked, and mark a part of it: from and to count in the new text. */
export function replaceMarked(field: HTMLTextAreaElement, words: string, from = words.length, to = words.length): void {
  const start = field.selectionStart;
  field.focus();
  // Deprecated, and the only way that leaves the field's undo as it was.
  if (!document.execCommand("insertText", false, words)) {
    field.setRangeText(words);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  field.setSelectionRange(start + from, start + to);
}

/** Put a text in the place of some of the field's, wherever the cursor is; the cursor stays by its words. */
export function replaceText(field: HTMLTextAreaElement, was: string, words: string): void {
  const at = field.value.indexOf(was);
  if (at < 0) return;
  field.setRangeText(words, at, at + was.length, "preserve");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

const marked = (field: HTMLTextAreaElement): string => field.value.slice(field.selectionStart, field.selectionEnd);

function wrap(field: HTMLTextAreaElement, sign: string): void {
  const words = marked(field);
  const { selectionStart: start, selectionEnd: end, value } = field;
  if (value.slice(start - sign.length, start) === sign && value.slice(end, end + sign.length) === sign) {
    field.setSelectionRange(start - sign.length, end + sign.length);
    replaceMarked(field, words, 0, words.length);
  } else replaceMarked(field, sign + words + sign, sign.length, sign.length + words.length);
}

function code(field: HTMLTextAreaElement): void {
  const words = marked(field);
  if (!words.includes("\n")) wrap(field, "`");
  else replaceMarked(field, `\`\`\`\n${words}\n\`\`\``, 4, 4 + words.length);
}

function link(field: HTMLTextAreaElement): void {
  const words = marked(field);
  if (/^https?:\/\/\S+$/.test(words)) replaceMarked(field, `[](${words})`, 1, 1);
  else replaceMarked(field, `[${words}](url)`, words.length + 3, words.length + 6);
}

/** Begin each marked line so, or no more where all of them do. */
function begin(field: HTMLTextAreaElement, beginning: (line: number) => string): void {
  const start = field.value.lastIndexOf("\n", field.selectionStart - 1) + 1;
  const next = field.value.indexOf("\n", field.selectionEnd);
  const end = next < 0 ? field.value.length : next;
  const lines = field.value.slice(start, end).split("\n");
  const isSo = lines.every((line, number) => line.startsWith(beginning(number)));
  const words = lines
    .map((line, number) => (isSo ? line.slice(beginning(number).length) : beginning(number) + line))
    .join("\n");
  field.setSelectionRange(start, end);
  replaceMarked(field, words, lines.length > 1 ? 0 : words.length, words.length);
}

export const MARKS: Record<string, (field: HTMLTextAreaElement) => void> = {
  bold: (field) => wrap(field, "**"),
  italic: (field) => wrap(field, "_"),
  code,
  link,
  quote: (field) => begin(field, () => "> "),
  list: (field) => begin(field, () => "- "),
  numbers: (field) => begin(field, (line) => `${line + 1}. `),
  task: (field) => begin(field, () => "- [ ] "),
};

export const KEYS: Record<string, string> = { b: "bold", i: "italic", k: "link" };

/** Enter in a list goes on with it, and in an empty item ends it. Whether it did something. */
export function goOnWithList(field: HTMLTextAreaElement): boolean {
  if (field.selectionStart !== field.selectionEnd) return false;
  const start = field.value.lastIndexOf("\n", field.selectionStart - 1) + 1;
  const found = /^(\s*)(?:([-*+])|(\d{1,9})([.)]))( \[[ xX]\])? (.*)$/.exec(
    field.value.slice(start, field.selectionStart),
  );
  if (!found) return false;
  const [, space = "", bullet, count, dot = ".", box, rest] = found;
  if (rest === "") {
    field.setSelectionRange(start, field.selectionStart);
    replaceMarked(field, "");
  } else replaceMarked(field, `\n${space}${bullet ?? `${Number(count) + 1}${dot}`}${box ? " [ ]" : ""} `);
  return true;
}
