// contract.ts: notes on a board, by their ids
import { channel, defineContract } from "tutti/contract";
import { z } from "zod";

const note = z.object({ id: z.string(), text: z.string() });
type Notes = Readonly<Record<string, string>>;
const empty: Notes = {};

export const contract = defineContract({
  channels: {
    "board:{id}": channel({
      events: { "note:add": note, "note:edit": note, "note:remove": note.pick({ id: true }) },
      state: {
        version: 2,
        initial: empty,
        reduce(notes, { type, payload }) {
          const { [payload.id]: text, ...others } = notes;
          if (type === "note:remove") return others;
          return type === "note:add" || text !== undefined ? { ...notes, [payload.id]: payload.text } : notes;
        },
        // Version 1 was a list of texts.
        migrate: (state) => Object.fromEntries(z.array(z.string()).parse(state).map((text, index) => [String(index), text])),
        reconcile: ({ payload }, { sent, landed }) => (payload.id === sent.payload.id ? { ...payload, id: landed.payload.id } : payload),
        inverse({ type, payload: { id } }, before) {
          const text = before[id];
          if (type === "note:add") return { type: "note:remove", payload: { id } };
          if (text === undefined) return undefined;
          return { type: type === "note:edit" ? "note:edit" : "note:add", payload: { id, text } };
        },
      },
    }),
  },
});
