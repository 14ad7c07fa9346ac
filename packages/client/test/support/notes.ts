import type { Cancel, WireEvent } from "@tutti/protocol";
import { PUBLIC_ID } from "./fake-server.js";

/** A note of somebody else, as the server sends it. */
export const note = (seq: number, text = `note ${seq}`): WireEvent => ({ eventId: `other:${seq}`, type: "note:add", payload: { text }, timestamp: seq });

/** The notes of somebody else at these positions. */
export const notes = (from: number, to: number): readonly WireEvent[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => note(from + index));

/** The event of this client's publish `n`. */
export const ownNote = (n: number, text: string): WireEvent => ({ eventId: `${PUBLIC_ID}:${n}`, type: "note:add", payload: { text }, timestamp: 1_000 + n });

/** The positions of the notes that a channel tells of, as they come. */
export function seqsOf(channel: { on(type: "note:add", listener: (event: { readonly position: { readonly seq: number } }) => void): Cancel }): readonly number[] {
  const seqs: number[] = [];
  channel.on("note:add", ({ position }) => seqs.push(position.seq));
  return seqs;
}
