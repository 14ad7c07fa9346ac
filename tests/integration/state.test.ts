import { createClient, undoHistory, type Channel, type UndoHistory } from "@tutti/client";
import { createServer, silentLog } from "@tutti/server";
import { simulate } from "@tutti/testkit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contract } from "../types/state/contract.js";

type Board = Channel<typeof contract, "board:{id}">;

/** A note of somebody else. */
const THEIRS = "theirs";

/** The page, and somebody who looks on; the server gives the ids n1, n2, … to what is new. */
function boards() {
  const world = simulate();
  const environment = world.process("server");
  let given = 0;
  const server = createServer({
    contract,
    environment,
    log: silentLog,
    broker: world.broker().connect(environment),
    channels: {
      "board:{id}": { publish: { "note:add": ({ payload }) => ({ ...payload, id: payload.id.startsWith("new-") ? `n${++given}` : payload.id }) } },
    },
  });
  world.network.listen("server.test", environment, (transport, request) => server.accept(transport, request));
  const open = (name: string): Board => {
    const page = world.process(name);
    const board = createClient({ contract, url: "ws://server.test/", environment: page, transport: world.network.transport(page) }).channel("board:{id}", { id: "1" });
    void board.subscribe();
    return board;
  };
  const cut = (): void => {
    for (const connection of world.network.connections()) connection.cut("cable");
  };
  return { world, cut, page: open("page"), other: open("other") };
}

type Act =
  | { readonly kind: "add" | "undo" | "redo" | "cut" }
  | { readonly kind: "edit" | "remove"; readonly which: number }
  | { readonly kind: "wait"; readonly ms: number };

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: "add" } as const) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom("edit", "remove"), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("undo", "redo", "cut") }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait"), ms: fc.constantFrom(1, 2, 3, 4, 5, 8, 20, 3_000) }) },
);

/** What somebody at the page does with the notes that the page shows. */
async function perform(next: Act, { world, cut, page }: ReturnType<typeof boards>, history: UndoHistory<typeof contract, "board:{id}">): Promise<void> {
  const now = String(world.clock.nowMs);
  const ids = Object.keys(page.state.getSnapshot()).filter((id) => id !== THEIRS);
  const id = ("which" in next ? ids[next.which % ids.length] : undefined) ?? `new-${page.pending.getSnapshot().length}-${now}`;
  switch (next.kind) {
    case "wait":
      return world.clock.advance(next.ms);
    case "cut":
      return cut();
    case "undo":
    case "redo":
      return void history[next.kind]();
    case "remove":
      return void history.publish("note:remove", { id });
    case "add":
    case "edit":
      return void history.publish(`note:${next.kind}`, { id, text: now });
  }
}

const shown = (board: Board): unknown => board.state.getSnapshot();

describe("the board of docs/STATE.md", () => {
  it("STA-11, PUB-13: shows a note under the page's id, then under the server's, and what waits behind it goes along", async () => {
    const { world, page, other } = boards();
    await world.clock.advance(1_000);
    const seen = new Set<string>();
    page.state.subscribe(() => seen.add(JSON.stringify(shown(page))));
    const added = page.publish("note:add", { id: "new-1", text: "Buy milk" });
    void page.publish("note:edit", { id: "new-1", text: "Buy oat milk" });
    await world.clock.advance(1_000);
    expect(Array.from(seen)).toEqual(['{"new-1":"Buy milk"}', '{"new-1":"Buy oat milk"}', '{"n1":"Buy oat milk"}']);
    expect([page.state.canonical(), other.state.canonical()]).toEqual([{ n1: "Buy oat milk" }, { n1: "Buy oat milk" }]);
    expect((await added).payload).toEqual({ id: "n1", text: "Buy milk" });
  });

  it("STA-11: does so too where all of it was published while offline", async () => {
    const { world, cut, page, other } = boards();
    await world.clock.advance(1_000);
    cut();
    await world.clock.advance(1);
    for (const id of ["new-1", "new-2"]) void page.publish("note:add", { id, text: "Buy" });
    void page.publish("note:edit", { id: "new-2", text: "Buy milk" });
    void page.publish("note:remove", { id: "new-1" });
    expect(shown(page)).toEqual({ "new-2": "Buy milk" });
    await world.clock.advance(20_000);
    expect([shown(page), other.state.canonical()]).toEqual([{ n2: "Buy milk" }, { n2: "Buy milk" }]);
  });

  it.each([0, 1, 2, 3, 5, 8, 1_000])("STA-12: undoes both steps of the page at once, %d ms after they were published, and redoes them", async (afterMs) => {
    const { world, page, other } = boards();
    await world.clock.advance(1_000);
    const history = undoHistory(page, { contract });
    history.transact(() => {
      void history.publish("note:add", { id: "new-1", text: "Buy milk" });
      void history.publish("note:edit", { id: "new-1", text: "Buy oat milk" });
    });
    await world.clock.advance(afterMs);
    void history.undo();
    expect(shown(page)).toEqual({});
    await world.clock.advance(1_000);
    expect(other.state.canonical()).toEqual({});
    void history.redo();
    await world.clock.advance(1_000);
    expect([shown(page), other.state.canonical()]).toEqual([{ n1: "Buy oat milk" }, { n1: "Buy oat milk" }]);
  });

  it("STA-11, STA-12: undoes all of one's own, and redoes it, under whatever ids it landed", async () => {
    const everything = async (acts: readonly Act[], atOnce: boolean): Promise<void> => {
      const stage = boards();
      const { world, page, other } = stage;
      const history = undoHistory(page, { contract });
      await world.clock.advance(1_000);
      void other.publish("note:add", { id: THEIRS, text: "Call Ada" });
      await world.clock.advance(1_000);
      for (const next of acts) await perform(next, stage, history);
      if (!atOnce) await world.clock.advance(60_000);
      while (history.getSnapshot().canRedo) void history.redo();
      await world.clock.advance(60_000);
      const all = shown(page);
      expect(shown(other)).toEqual(all);
      while (history.getSnapshot().canUndo) void history.undo();
      expect(shown(page)).toEqual({ [THEIRS]: "Call Ada" });
      await world.clock.advance(60_000);
      expect([shown(page), shown(other)]).toEqual([{ [THEIRS]: "Call Ada" }, { [THEIRS]: "Call Ada" }]);
      while (history.getSnapshot().canRedo) void history.redo();
      await world.clock.advance(60_000);
      expect([shown(page), shown(other)]).toEqual([all, all]);
    };
    await fc.assert(fc.asyncProperty(fc.array(act, { maxLength: 30, size: "max" }), fc.boolean(), everything), {
      numRuns: 60,
      // Undone while the note is there under its new id, and its removal still on its way.
      examples: [[[{ kind: "add" }, { kind: "remove", which: 0 }, { kind: "wait", ms: 8 }, { kind: "undo" }], false]],
    });
  });

  it("STA-9: reads a state of the first version", () => {
    const { migrate } = contract.definition.channels["board:{id}"].state ?? {};
    expect(migrate?.(["Buy milk"], 1)).toEqual({ 0: "Buy milk" });
  });
});
