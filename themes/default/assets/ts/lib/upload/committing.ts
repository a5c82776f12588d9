// The commit at the end: the files of texts within it, the others by their hashes.
import { toBase64 } from "../bytes";
import type { Item } from "./item";

export const FILES_PER_COMMIT = 10_000;
/** Of files that go within the commit; in base64 they are a third larger. */
const BYTES_PER_COMMIT = 1024 ** 3;
const PIECE_CHARS = 8 * 1024 ** 2;

/** The files in portions that each fit into one commit. */
export function portionsOf(items: Item[]): Item[][] {
  const portions: Item[][] = [];
  let current: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const own = item.isLFS ? 0 : item.size;
    if (current.length && (current.length >= FILES_PER_COMMIT || bytes + own > BYTES_PER_COMMIT)) {
      portions.push(current);
      current = [];
      bytes = 0;
    }
    current.push(item);
    bytes += own;
  }
  if (current.length) portions.push(current);
  return portions;
}

/** The body of a commit, one JSON object a line. Large ones lie on the browser's disk and not in memory. */
export async function bodyOf(items: Item[], title: string, description: string, parent: string): Promise<Blob> {
  const blobs: Blob[] = [];
  let piece: string[] = [];
  let chars = 0;
  const write = (words: string) => {
    piece.push(words);
    chars += words.length;
    if (chars < PIECE_CHARS) return;
    blobs.push(new Blob(piece));
    piece = [];
    chars = 0;
  };
  const header = { summary: title, description, ...(parent && { parentCommit: parent }) };
  write(`${JSON.stringify({ key: "header", value: header })}\n`);
  for (const item of items) {
    if (item.isLFS) {
      const value = { path: item.path, algo: "sha256", oid: item.hash, size: item.size };
      write(`${JSON.stringify({ key: "lfsFile", value })}\n`);
      continue;
    }
    const content = toBase64(new Uint8Array(await item.file.arrayBuffer()));
    write(`{"key":"file","value":{"path":${JSON.stringify(item.path)},"encoding":"base64","content":"${content}"}}\n`);
  }
  return new Blob([...blobs, ...piece]);
}
