import { describe, expect, it } from "vitest";
import { Neighbours, sessionOf, type Neighbour } from "./support/neighbours.js";
import { rooms } from "./support/rooms.js";

const room = "room:1";
const roomAt = (node: Neighbour<typeof rooms>) => node.server.channel("room:{id}", { id: "1" });

async function two() {
  const nodes = new Neighbours({ contract: rooms });
  const [here, there] = [await nodes.start(), await nodes.start()];
  await nodes.advance(2_000);
  const ada = await nodes.peerAt(there);
  await ada.subscribe(room, { presence: true, member: { name: "ada" } });
  return { nodes, here, there, ada };
}

/** What a promise came to, once everything that was asked for has been answered. */
async function come<T>(nodes: Neighbours<typeof rooms>, promise: Promise<T>): Promise<T | "waits"> {
  let value: T | "waits" = "waits";
  void promise.then((members) => (value = members));
  await nodes.settle();
  return value;
}

describe("the members of a channel, for the application", () => {
  it("PRE-14 are those of all nodes, also where the channel was not open", async () => {
    const { nodes, here, there, ada } = await two();
    expect(roomAt(here).members()).toEqual([]);
    expect(await come(nodes, roomAt(here).presence())).toMatchObject([{ session: sessionOf(ada), state: { name: "ada" } }]);
    expect(roomAt(here).members()).toEqual(roomAt(there).members());
  });

  it("PRE-14 are waited for until the other node has told, or has had its time to", async () => {
    const { nodes, here, there } = await two();
    there.link.losesBroadcast = (topic) => topic.startsWith("node:");
    const asked = roomAt(here).presence();
    expect(await come(nodes, asked)).toBe("waits");
    await nodes.advance(2_000);
    expect(await come(nodes, asked)).toEqual([]);
  });

  it("PRE-14 are told, as far as they are known, where the server closes before", async () => {
    const { nodes, here, there } = await two();
    there.link.losesBroadcast = () => true;
    const asked = roomAt(here).presence();
    expect(await come(nodes, asked)).toBe("waits");
    const closed = here.server.close();
    await nodes.settle();
    expect(await come(nodes, asked)).toEqual([]);
    await nodes.advance(5_000);
    await closed;
  });

  it("PRE-14 are nobody's of a channel that was closed", async () => {
    const { here } = await two();
    await roomAt(here).close();
    await expect(roomAt(here).presence()).rejects.toMatchObject({ code: "ROOM_NOT_FOUND" });
  });
});
