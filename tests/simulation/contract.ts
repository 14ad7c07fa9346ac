import { channel, defineContract } from "@tutti/protocol";
import { z } from "zod";

/** What the server's handler does with an event, so that a seed meets handlers that wait, change, refuse and crash. */
export const wishes = ["plain", "slow", "changed", "refused", "crash"] as const;

const item = z.object({
  /** Says whose publish this is, and which: `alice/board:1/7`. */
  token: z.string(),
  wish: z.enum(wishes),
  /** Set by the handler that changes the payload. */
  stamp: z.string().optional(),
  filler: z.string().optional(),
});

/** A state that shows every event that was left out, doubled or reordered: a chain of hashes over all of them, and the latest few. */
export interface Ledger {
  readonly count: number;
  readonly chain: number;
  readonly latest: readonly string[];
}

const empty: Ledger = { count: 0, chain: 0, latest: [] };
const LATEST_MAX = 8;

/** The hash of a chain one event longer. */
function link(chain: number, text: string): number {
  let hash = chain ^ 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

export const contract = defineContract({
  channels: {
    /** A channel with state. */
    "board:{id}": channel({
      events: { "mark:add": item, "mark:poison": item },
      signals: { "cursor:move": z.object({ x: z.number() }) },
      presence: z.object({ mood: z.number() }),
      state: {
        version: 1,
        initial: empty,
        reduce: (ledger, { type, payload }): Ledger => {
          if (type === "mark:poison") throw new Error("this event cannot be reduced");
          const text = `${payload.token} ${payload.stamp ?? ""}`;
          return { count: ledger.count + 1, chain: link(ledger.chain, text), latest: [...ledger.latest, payload.token].slice(-LATEST_MAX) };
        },
      },
    }),
    /** A channel of events alone. */
    "feed:{id}": channel({ events: { "note:add": item }, signals: { "cursor:move": z.object({ x: z.number() }) }, presence: z.object({ mood: z.number() }) }),
  },
});

export type Item = z.infer<typeof item>;
export type SimulationContract = typeof contract;

/** The channels of every run, with the event that is published to each. */
export const channels = [
  { name: "board:1", hasState: true },
  { name: "feed:1", hasState: false },
] as const;
