import { createClient, undoHistory } from "@tutti/client";
import { channel, defineContract } from "@tutti/protocol";
import { createServer, silentLog } from "@tutti/server";
import { simulate } from "@tutti/testkit";
import fc from "fast-check";
import { expect, it } from "vitest";
import { z } from "zod";

type Cells = Readonly<Record<string, number>>;
const empty: Cells = {};
const cell = z.object({ key: z.string(), value: z.number() });

const contract = defineContract({
  channels: {
    "sheet:{id}": channel({
      events: { "cell:set": cell, "cell:clear": cell.pick({ key: true }) },
      state: {
        version: 1,
        initial: empty,
        reduce: (cells, { type, payload }) =>
          type === "cell:set" ? { ...cells, [payload.key]: payload.value } : Object.fromEntries(Object.entries(cells).filter(([key]) => key !== payload.key)),
        inverse({ type, payload }, before) {
          const value = before[payload.key];
          if (value !== undefined) return { type: "cell:set", payload: { key: payload.key, value } };
          return type === "cell:clear" ? undefined : { type: "cell:clear", payload: { key: payload.key } };
        },
      },
    }),
  },
});

/** A value to set, or none to clear. */
interface Edit {
  readonly column: number;
  readonly value: number | undefined;
}
type Act =
  | { readonly kind: "edit"; readonly who: "ada" | "bob"; readonly edits: readonly Edit[] }
  | { readonly kind: "undo" | "redo" | "cut" }
  | { readonly kind: "wait"; readonly ms: number };

const edit: fc.Arbitrary<Edit> = fc.record({ column: fc.nat(3), value: fc.option(fc.nat(9), { nil: undefined }) });
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("edit"), who: fc.constantFrom("ada", "bob"), edits: fc.array(edit, { minLength: 1, maxLength: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("undo", "redo", "cut") }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait"), ms: fc.constantFrom(1, 4, 20, 3_000) }) },
);

/** Two people with a row each on one sheet. Ada has a history. */
function sheetForTwo(seed: number) {
  const world = simulate({ seed });
  const environment = world.process("server");
  const server = createServer({ contract, environment, log: silentLog, broker: world.broker().connect(environment) });
  world.network.listen("server.test", environment, (transport, request) => server.accept(transport, request));
  const open = (name: string) => {
    const page = world.process(name);
    const sheet = createClient({ contract, url: "ws://server.test/", environment: page, transport: world.network.transport(page) }).channel("sheet:{id}", { id: "1" });
    void sheet.subscribe();
    return sheet;
  };
  const [ada, bob] = [open("ada"), open("bob")];
  const history = undoHistory(ada, { contract });
  const publish = (who: "ada" | "bob", { column, value }: Edit): void => {
    const key = `${who}${column}`;
    const publisher = who === "ada" ? history : bob;
    void (value === undefined ? publisher.publish("cell:clear", { key }) : publisher.publish("cell:set", { key, value }));
  };
  return { world, ada, bob, history, publish, state: async () => (await server.channel("sheet:{id}", { id: "1" }).state()).state };
}

type Sheet = ReturnType<typeof sheetForTwo>;

async function perform(next: Act, { world, history, publish }: Sheet): Promise<void> {
  if (next.kind === "wait") await world.clock.advance(next.ms);
  else if (next.kind === "cut") for (const connection of world.network.connections()) connection.cut("cable");
  else if (next.kind === "edit") history.transact(() => next.edits.forEach((one) => publish(next.who, one)));
  else void history[next.kind]();
}

/** What Bob's row is when his edits are all that happened. */
function rowOfBob(acts: readonly Act[]): Cells {
  const edits = acts.flatMap((next) => (next.kind === "edit" && next.who === "bob" ? next.edits : []));
  const row = new Map(edits.map(({ column, value }) => [`bob${column}`, value]));
  return Object.fromEntries(Array.from(row).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

const rowOfAda = (cells: Cells): unknown => Object.entries(cells).filter(([key]) => key.startsWith("ada")).toSorted(([a], [b]) => (a < b ? -1 : 1));

it("STA-12: undoing all of one's own leaves exactly what others did, and redoing brings all of it back", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(act, { maxLength: 30, size: "max" }), fc.boolean(), async (seed, acts, atOnce) => {
      const sheet = sheetForTwo(seed);
      const { world, ada, bob, history, state } = sheet;
      for (const next of acts) await perform(next, sheet);
      while (history.getSnapshot().canRedo) void history.redo();
      const before = rowOfAda(ada.state.getSnapshot());
      // At once, all of it may still wait to be sent; else each undo meets what the events met.
      if (!atOnce) await world.clock.advance(60_000);
      while (history.getSnapshot().canUndo) void history.undo();
      await world.clock.advance(60_000);
      const left = rowOfBob(acts);
      expect([await state(), ada.state.getSnapshot(), bob.state.canonical()]).toEqual([left, left, left]);
      while (history.getSnapshot().canRedo) void history.redo();
      expect(rowOfAda(ada.state.getSnapshot())).toEqual(before);
    }),
    { numRuns: 80 },
  );
});
