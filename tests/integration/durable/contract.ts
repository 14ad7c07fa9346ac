import { channel, defineContract } from "@tutti/protocol";
import { z } from "zod";

const events = { "item:add": z.object({ id: z.string() }) };

/** What a board makes of its events, which are named `<publisher>-<number>`. */
export interface Tally {
  /** How many there were, by publisher. */
  readonly counts: Readonly<Record<string, number>>;
  /** The ids of those that were not the next of their publisher. */
  readonly strays: readonly string[];
}

const empty: Tally = { counts: {}, strays: [] };

/** A feed keeps everything; a board is trimmed below its snapshots. */
export const contract = defineContract({
  channels: {
    "feed:{id}": channel({ events }),
    "board:{id}": channel({
      events,
      presence: z.object({ name: z.string() }),
      state: {
        version: 1,
        initial: empty,
        reduce({ counts, strays }, { payload: { id } }) {
          const [name = "", number] = id.split("-");
          const count = counts[name] ?? 0;
          return { counts: { ...counts, [name]: count + 1 }, strays: Number(number) === count ? strays : [...strays, id] };
        },
      },
    }),
  },
});
