import { describe, expect, it } from "vitest";
import { HttpGuest } from "./support/http-guest.js";
import { ready } from "./support/leased-nodes.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const channels = "/v1/channels";

describe("what is read over HTTP", () => {
  it.each(["room:1/events?rewind=10", "board:1/state", "room:1/presence"])("CMD-7 is not told while the lease of the node is over: %s", async (path) => {
    const { here, there, pass } = await ready();
    await Promise.all([here.room.publish("note:add", { text: "secret" }), pass(100)]);
    const guest = new HttpGuest({ server: there.server, environment: { settle: () => pass(1_000) } });
    there.isBlind = true;
    await pass(6_000);
    expect((await guest.get(`${channels}/${path}`)).status).toBe(503);
    there.isBlind = false;
    await pass(1_500);
    expect((await guest.get(`${channels}/${path}`)).status).toBe(200);
  });

  it("CMD-8 is not told to whom a command ended while it was read", async () => {
    let mayRead = true;
    const world = new World({ contract: rooms, channels: { "room:{id}": { authorize: () => mayRead } } });
    const guest = new HttpGuest(world);
    const room = world.server.channel("room:{id}", { id: "1" });
    await room.publish("note:add", { text: "secret" });
    const read = async (act: () => void): Promise<number | undefined> => {
      const goOn = world.broker.holdNext("read");
      const exchange = guest.begin("GET", `${channels}/room:1/events?rewind=10`);
      await world.settle();
      act();
      goOn();
      await world.settle();
      return exchange.status;
    };
    expect(await read(() => {})).toBe(200);
    expect(await read(() => void room.revoke({ user: "somebody" }))).toBe(200);
    const status = await read(() => {
      mayRead = false;
      void room.revoke({ user: "ada" });
    });
    expect(status).toBe(403);
  });
});
