import type { LastSeen } from "@tutti/protocol";
import { lmdbBroker } from "@tutti/lmdb";
import { memoryBroker } from "@tutti/server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RoomClient } from "./sdk.js";
import { rejection, Stage } from "./stage.js";

const patience = { timeout: 5_000, interval: 5 };
const one = { id: "one" };

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.end());

/** A feed, and the texts and the last event that its client has seen. */
function feedOf(client: RoomClient) {
  const feed = client.channel("feed:{id}", one);
  const texts: string[] = [];
  const seen: { last: LastSeen | undefined } = { last: undefined };
  feed.on("item:add", ({ payload, position, eventId }) => {
    texts.push(payload.text);
    seen.last = { ...position, eventId };
  });
  return { feed, texts, seen };
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);

const brokers = [
  ["memory", async () => memoryBroker()],
  ["lmdb", async () => lmdbBroker({ directory: await stage.directory() })],
] as const;

describe.each(brokers)("a feed in the log of %s", (_name, broker) => {
  async function written() {
    const { server, port } = await stage.serve({ broker: await broker() });
    const handle = server.channel("feed:{id}", one);
    const write = async (texts: readonly string[]): Promise<void> => {
      await Promise.all(texts.map((text) => handle.publish("item:add", { text })));
    };
    await write(numbers(1, 1_000));
    return { write, proxy: await stage.proxy(port) };
  }

  it("REC-9: starts so far behind the head as the client wants, and goes on over a cut without repeat or hole", async () => {
    const { write, proxy } = await written();
    const { feed, texts } = feedOf(stage.guests.client(proxy.url));
    await feed.subscribe({ rewind: { count: 600 } });
    await vi.waitFor(() => expect(texts).toHaveLength(600), patience);
    proxy.reset();
    await write(numbers(1_001, 1_500));
    await vi.waitFor(() => expect(texts).toHaveLength(1_100), patience);
    expect(texts).toEqual(numbers(401, 1_500));
  });

  it("REC-9: goes on from the position that the application kept, in another client", async () => {
    const { write, proxy } = await written();
    const first = stage.guests.client(proxy.url);
    const { feed, texts, seen } = feedOf(first);
    await feed.subscribe({ rewind: { ageMs: 3_600_000 } });
    await vi.waitFor(() => expect(texts).toHaveLength(1_000), patience);
    await first.close();
    await write(numbers(1_001, 1_010));
    const later = feedOf(stage.guests.client(proxy.url));
    const gaps: unknown[] = [];
    later.feed.on("gap", (gap) => gaps.push(gap));
    if (seen.last === undefined) throw new Error("nothing was seen");
    await later.feed.subscribe({ since: seen.last });
    await vi.waitFor(() => expect(later.texts).toHaveLength(10), patience);
    expect([later.texts, gaps]).toEqual([numbers(1_001, 1_010), []]);
  });

  it("REC-9: a position that is not of this log is a gap", async () => {
    const { proxy } = await written();
    const { feed } = feedOf(stage.guests.client(proxy.url));
    const gaps: unknown[] = [];
    feed.on("gap", (gap) => gaps.push(gap));
    await feed.subscribe({ since: { epoch: "foreign", seq: 3 } });
    expect(gaps).toEqual([{ from: { epoch: "foreign", seq: 3 }, to: { epoch: expect.not.stringMatching("foreign"), seq: 1_000 } }]);
  });
});

describe("what a publish is answered", () => {
  it("PUB-13: says what the server made of the payload, where it made something of it", async () => {
    const named = ({ payload }: { readonly payload: { readonly id: string } }) => (payload.id === "new" ? { id: "line-1024" } : undefined);
    const { url } = await stage.serve({ channels: { "room:{id}": { publish: { "line:add": named } } } });
    const room = stage.guests.client(url).channel("room:{id}", one);
    await room.subscribe();
    expect((await room.publish("line:add", { id: "new" })).payload).toEqual({ id: "line-1024", text: "" });
    expect(await room.publish("line:add", { id: "kept" })).not.toHaveProperty("payload");
  });
});

describe("a channel with state", () => {
  it("REC-9: has one start, and takes no other", async () => {
    const { url } = await stage.serve();
    expect(await rejection(stage.guests.client(url).channel("room:{id}", one).subscribe({ rewind: { count: 1 } }))).toBe("REWIND_UNSUPPORTED");
  });
});
