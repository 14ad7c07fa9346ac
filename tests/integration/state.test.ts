import { createClient, undoHistory, type Channel } from "@tutti/client";
import { createServer, silentLog } from "@tutti/server";
import { simulate } from "@tutti/testkit";
import { describe, expect, it } from "vitest";
import { contract } from "../types/state/contract.js";

type Board = Channel<typeof contract, "board:{id}">;

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
  world.network.listen("server.test", environment, (transport, handshake) => server.accept(transport, handshake));
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

  it.each([0, 1_000])("STA-12: undoes both steps of the page at once, %d ms after they were published, and redoes them", async (afterMs) => {
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

  it("STA-9: reads a state of the first version", () => {
    const { migrate } = contract.definition.channels["board:{id}"].state ?? {};
    expect(migrate?.(["Buy milk"], 1)).toEqual({ 0: "Buy milk" });
  });
});
