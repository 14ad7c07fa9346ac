import { channel, defineContract } from "@tutti/protocol";
import { z } from "zod";

const line = z.object({ id: z.string(), text: z.string().default("") });

/** What the integration tests talk about: rooms with lines as their state, and feeds without state. */
export const roomContract = defineContract({
  channels: {
    "room:{id}": channel({
      events: { "line:add": line, "line:remove": z.object({ id: z.string() }), "picture:add": z.object({ name: z.string(), parts: z.array(z.object({ bytes: z.instanceof(Uint8Array) })) }) },
      signals: { "cursor:move": z.object({ x: z.number(), y: z.number() }) },
      calls: { "room:count": { input: z.object({ atLeast: z.number() }), output: z.object({ count: z.number() }) } },
      presence: z.object({ name: z.string() }),
      state: {
        version: 1,
        initial: [] as readonly string[],
        reduce(ids, event) {
          switch (event.type) {
            case "line:add":
              return [...ids, event.payload.id];
            case "line:remove":
              return ids.filter((id) => id !== event.payload.id);
            default:
              return ids;
          }
        },
      },
    }),
    "feed:{id}": channel({ events: { "item:add": z.object({ text: z.string() }) } }),
    "flood:{id}": channel({ events: { "item:add": z.object({ text: z.string() }) } }),
  },
  calls: { "text:echo": { input: z.string(), output: z.string() } },
});
