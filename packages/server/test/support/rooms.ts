import { channel, defineContract } from "@tutti/protocol";
import { z } from "zod";

const note = z.object({ text: z.string() });

/** What most tests talk about: rooms of notes without state, boards whose state is the list of their notes. */
export const rooms = defineContract({
  channels: {
    "room:{id}": channel({
      events: { "note:add": note, "note:at": z.object({ at: z.coerce.number() }) },
      signals: { "cursor:move": z.object({ x: z.number() }), "cursor:hide": z.object({}) },
      calls: { "note:count": { input: z.object({ of: z.string() }), output: z.object({ count: z.number() }) } },
      presence: z.object({ name: z.string() }),
    }),
    "board:{id}": channel({
      events: { "note:add": note, "note:poison": z.object({}) },
      state: {
        version: 1,
        initial: [] as readonly string[],
        reduce: (notes, event) => {
          if (event.type === "note:poison") throw new Error("cannot be reduced");
          return [...notes, event.payload.text];
        },
      },
    }),
  },
  calls: { "room:list": { input: z.object({}), output: z.array(z.string()) } },
});
