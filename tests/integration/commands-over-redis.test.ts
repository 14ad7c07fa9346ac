import { hasRedis, startRedis } from "@tutti/cluster";
import { redisBroker } from "@tutti/redis";
import { describe, expect, it, vi } from "vitest";
import { redisSuite } from "./redis-suite.js";
import type { RoomClient } from "./sdk.js";
import type { Served } from "./stage.js";

const patience = { timeout: 15_000, interval: 10 };
const one = { id: "one" };

const roomAt = ({ server }: Served) => server.channel("room:{id}", one);
const roomOf = (client: RoomClient) => client.channel("room:{id}", one);
const codeOf = (client: RoomClient): string | undefined => roomOf(client).status.getSnapshot().error?.code;

describe.skipIf(!hasRedis())("what the application does at one node, at another on the same Redis (needs redis)", { timeout: 40_000 }, () => {
  const suite = redisSuite(() => startRedis({ config: ["appendfsync always"] }));

  async function node(isOpen = true): Promise<Served> {
    const broker = await redisBroker({ url: suite.redis.url, prefix: suite.prefix });
    return suite.stage.serve({
      broker,
      authenticate: ({ token }) => (token === undefined ? undefined : { id: token }),
      channels: { "room:{id}": { authorize: ({ action }) => isOpen || action !== "subscribe" } },
    });
  }

  /** Two nodes that know each other. */
  async function two(isOpen = true): Promise<readonly [Served, Served]> {
    const nodes = [await node(isOpen), await node(isOpen)] as const;
    await vi.waitFor(() => expect(nodes.map(({ server }) => server.stats().nodes)).toEqual([2, 2]), patience);
    return nodes;
  }

  function at({ url }: Served, token: string) {
    const client = suite.stage.guests.client(url, { token });
    const xs: number[] = [];
    roomOf(client).on("cursor:move", ({ payload }) => xs.push(payload.x));
    return { client, room: roomOf(client), xs };
  }

  async function enter(served: Served, token: string) {
    const guest = at(served, token);
    await guest.room.subscribe();
    return guest;
  }

  it("CMD-1, CMD-2: kick, revoke, close and disconnect are done when they are done there", async () => {
    const [here, there] = await two();
    const [ada, bob, eve] = [await enter(there, "ada"), await enter(there, "bob"), await enter(there, "eve")];
    await roomAt(here).kick({ user: "ada" }, "house rules");
    await roomAt(here).revoke({ user: "bob" });
    await vi.waitFor(() => expect([codeOf(ada.client), codeOf(bob.client), codeOf(eve.client)]).toEqual(["KICKED", "SUBSCRIPTION_REVOKED", undefined]), patience);
    await roomAt(here).close();
    await vi.waitFor(() => expect(codeOf(eve.client)).toBe("ROOM_NOT_FOUND"), patience);
    await here.server.disconnect({ user: "eve" }, "signed out everywhere");
    expect(there.server.connections().map(({ user }) => user)).toEqual(["ada", "bob"]);
  });

  it("CMD-4: who was put in is in at a node that starts when the first one is gone", async () => {
    const first = await node(false);
    await roomAt(first).add({ user: "ada" });
    await first.stop();
    const ada = at(await node(false), "ada");
    ada.client.connect();
    await vi.waitFor(() => expect(ada.room.status.getSnapshot().status).toBe("live"), patience);
  });

  it("SIG-7, SIG-8: signals reach the other node, and one to somebody reaches that one alone", async () => {
    const [here, there] = await two();
    const [ada, bob, eve] = [await enter(here, "ada"), await enter(there, "bob"), await enter(there, "eve")];
    // What is lost on the way is lost: it is said again until it comes.
    await vi.waitFor(() => {
      ada.room.signal("cursor:move", { x: 1, y: 0 });
      expect([bob.xs[0], eve.xs[0]]).toEqual([1, 1]);
    }, patience);
    await roomAt(here).signal("cursor:move", { x: 2, y: 0 }, { to: { user: "bob" } });
    await vi.waitFor(() => expect(bob.xs).toContain(2), patience);
    await roomAt(here).signal("cursor:move", { x: 3, y: 0 });
    await vi.waitFor(() => expect(eve.xs).toContain(3), patience);
    expect(eve.xs).not.toContain(2);
    expect(ada.xs).not.toContain(2);
  });
});
