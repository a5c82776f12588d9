// A large file on its way into the store: in one piece or in parts, of which the store says what it has.
import { ApiError } from "../api";
import { text } from "../texts";
import type { Item } from "./item";
import { callOften, inParallel, persist, put, Refused } from "./sending";

const PARTS_AT_ONCE = 4;
/** How often addresses are asked for anew without a part that came through in between. */
const MAX_ROUNDS = 5;

interface Steps {
  is_held: boolean;
  address: string;
  part_size: number;
  received: number[];
  parts: Record<string, string>;
}

/** Bring a file's content into the repository's LFS; returns when its size and hash were confirmed. */
export async function sendContent(
  item: Item,
  api: string,
  forProposal: boolean,
  signal: AbortSignal,
  told: () => void,
) {
  const named = { oid: item.hash, size: item.size };
  const waits = (isWaiting: boolean) => {
    item.isWaiting = isWaiting;
    told();
  };
  for (let round = 0, best = -1; round < MAX_ROUNDS; round++) {
    const body = { objects: [named], for_proposal: forProposal };
    const [steps] = await callOften<Steps[]>(`${api}/uploads/objects`, { method: "POST", body }, signal, waits);
    if (!steps || steps.is_held) return;
    if (steps.received.length > best) {
      best = steps.received.length;
      round = 0;
    }
    try {
      if (steps.address) await sendWhole(item, steps.address, signal, told, waits);
      else await sendParts(item, steps, signal, told, waits);
      if (
        Object.keys(steps.parts).length + steps.received.length <
        Math.ceil(item.size / (steps.part_size || item.size))
      ) {
        // There were more parts than addresses.
        round = -1;
        continue;
      }
      const finished = { ...named, for_proposal: forProposal };
      await callOften(`${api}/uploads/objects/finish`, { method: "POST", body: finished }, signal, waits);
      return;
    } catch (error) {
      const isStale =
        (error instanceof Refused && [400, 403, 404, 409, 410].includes(error.status)) ||
        (error instanceof ApiError && ["upload_not_found", "parts_mismatch", "lfs_object_lost"].includes(error.reason));
      if (!isStale) throw error;
    }
  }
  throw new Error(text("The storage did not take the file."));
}

async function sendWhole(
  item: Item,
  address: string,
  signal: AbortSignal,
  told: () => void,
  waits: (is: boolean) => void,
) {
  const send = () =>
    put(address, item.file.slice(), signal, (bytes) => {
      item.note(bytes);
      told();
    });
  await persist(send, signal, waits);
}

async function sendParts(
  item: Item,
  steps: Steps,
  signal: AbortSignal,
  told: () => void,
  waits: (is: boolean) => void,
) {
  const sizeOf = (number: number) => Math.min(steps.part_size, item.size - (number - 1) * steps.part_size);
  const going = new Map<number, number>();
  let there = steps.received.reduce((sum, number) => sum + sizeOf(number), 0);
  const note = () => {
    item.note(there + [...going.values()].reduce((sum, bytes) => sum + bytes, 0));
    told();
  };
  note();
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  const sendPart = async ([name, address]: [string, string]) => {
    const number = Number(name);
    const start = (number - 1) * steps.part_size;
    const body = item.file.slice(start, start + sizeOf(number));
    const send = () =>
      put(address, body, both, (bytes) => {
        going.set(number, Math.min(bytes, body.size));
        note();
      });
    await persist(send, both, waits);
    going.delete(number);
    there += body.size;
    note();
  };
  try {
    await inParallel(Object.entries(steps.parts), PARTS_AT_ONCE, sendPart);
  } catch (error) {
    // The others stop, too: what they have sent by then is not lost.
    failed.abort();
    throw error;
  }
}
