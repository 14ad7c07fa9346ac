import { describe, expect, it } from "vitest";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "room:1";
const text = (value: string) => ({ text: value });

/** What stands in the log, as a reader from its beginning finds it. */
async function logOf(world: World<typeof rooms>, channel = room) {
  const { position } = await world.broker.inner.head(channel);
  const page = await world.broker.inner.read(channel, { epoch: position.epoch, seq: 0 }, { countMax: 1_000 });
  return page.outcome === "page" ? page.run.events : [];
}

const textsOf = async (world: World<typeof rooms>, channel = room): Promise<unknown[]> => (await logOf(world, channel)).map(({ payload }) => payload);

describe("the server's own publish", () => {
  const handleOf = (world: World<typeof rooms>) => world.server.channel("room:{id}", { id: "1" });

  it("PUB-10 is validated, appended and fanned out as a client's is", async () => {
    const world = new World({ contract: rooms });
    const peer = await world.peer();
    await peer.subscribe(room);
    const { position, eventId } = await handleOf(world).publish("note:add", text("from the server"));
    await world.settle();
    expect(peer.eventsOf(room)).toMatchObject([{ seq: position.seq, eventId, payload: text("from the server"), user: undefined }]);
  });

  it("PUB-10 refuses what the contract does not allow", async () => {
    const world = new World({ contract: rooms });
    const handle = handleOf(world);
    await expect(handle.publish("note:add", Object({ text: 5 }))).rejects.toMatchObject({ code: "PAYLOAD_INVALID", field: "payload.text" });
    await expect(handle.publish(...(["toString", {}] as unknown as ["note:add", { text: string }]))).rejects.toMatchObject({ code: "TYPE_UNKNOWN" });
    expect(await textsOf(world)).toEqual([]);
  });

  it("PUB-10 with a key is answered with the first one's position when it is repeated", async () => {
    const world = new World({ contract: rooms });
    const first = await handleOf(world).publish("note:add", text("one"), { key: "order-7" });
    const repeat = await handleOf(world).publish("note:add", text("one"), { key: "order-7" });
    const other = await handleOf(world).publish("note:add", text("two"), { key: "order-8" });
    expect(repeat).toEqual({ ...first, repeat: true });
    expect(other.eventId).not.toBe(first.eventId);
    expect((await logOf(world)).map(({ eventId }) => eventId)).toEqual([first.eventId, other.eventId]);
  });

  it("PUB-10 with an expected position lands at that head alone", async () => {
    const world = new World({ contract: rooms });
    const { position } = await handleOf(world).publish("note:add", text("one"));
    await handleOf(world).publish("note:add", text("two"), { expected: position });
    await expect(handleOf(world).publish("note:add", text("three"), { expected: position })).rejects.toMatchObject({
      code: "CONDITION_FAILED",
      data: { epoch: position.epoch, seq: 2 },
    });
    expect(await textsOf(world)).toEqual([text("one"), text("two")]);
  });

  it("PUB-10 into a room that was closed is refused", async () => {
    const world = new World({ contract: rooms });
    await handleOf(world).close();
    await expect(handleOf(world).publish("note:add", text("x"))).rejects.toMatchObject({ code: "ROOM_NOT_FOUND" });
    await expect(handleOf(world).state()).rejects.toMatchObject({ code: "ROOM_NOT_FOUND" });
  });
});
