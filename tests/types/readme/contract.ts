// contract.ts: what both ends share
import { channel, defineContract } from "tutti/contract";
import { z } from "zod";

export const contract = defineContract({
  channels: {
    "board:{id}": channel({
      events: { "note:add": z.object({ text: z.string().max(500) }) },
      signals: { "cursor:move": z.object({ x: z.number(), y: z.number() }) },
      state: { version: 1, initial: [] as readonly string[], reduce: (notes, event) => [...notes, event.payload.text] },
    }),
  },
});
