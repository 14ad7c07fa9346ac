import { channel, defineContract } from "@tutti/protocol";
import { z } from "zod";
import { slowSchema } from "./contract.js";

type Books = Readonly<Record<string, string>>;
const empty: Books = {};

const key = z.object({ key: z.string() });
const book = z.object({ key: z.string(), title: z.string() });
const slowBook = slowSchema((value): value is z.infer<typeof book> => book.safeParse(value).success);

/** Lets the slow schema of `book:lend` take what it was given. */
export const checkLent = slowBook.release;

const without = (books: Books, gone: string): Books => Object.fromEntries(Object.entries(books).filter(([other]) => other !== gone));

/** Books on a shelf, by key; a book called "cursed" makes `inverse` throw, and nobody can burn a book and have it back. */
export const shelfContract = defineContract({
  channels: {
    "shelf:{id}": channel({
      events: { "book:put": book, "book:take": key, "book:lend": slowBook.schema, "book:burn": key },
      state: {
        version: 1,
        initial: empty,
        reduce: (books, { type, payload }) =>
          type === "book:put" || type === "book:lend" ? { ...books, [payload.key]: payload.title } : without(books, payload.key),
        inverse({ type, payload }, before) {
          const title = before[payload.key];
          if (title === "cursed") throw new Error("nobody knows");
          if (type === "book:burn") return undefined;
          if (title !== undefined) return { type: "book:put", payload: { key: payload.key, title } };
          return type === "book:take" ? [] : [{ type: "book:take", payload: { key: payload.key } }];
        },
      },
    }),
    "feed:{id}": channel({ events: { "book:put": book } }),
  },
});
