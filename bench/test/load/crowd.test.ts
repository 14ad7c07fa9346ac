import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { clock } from "../../src/load/clock.js";
import { Crowd, type CrowdOptions } from "../../src/load/crowd.js";
import { usageOf } from "../../src/usage.js";
import { offer, offerTooMuch } from "../../src/load/offer.js";
import { joinings } from "../../src/load/room.js";
import type { Mark, Wire } from "../../src/load/wire.js";

/** What the server of these tests says, as its wire reads it. */
interface Said {
  readonly joined?: true;
  readonly marks?: readonly Mark[];
  readonly acks?: readonly number[];
  readonly problem?: string;
}

/** A message begins with what it is: `e`, one event; `s`, what many get, and which; everything else is one's own. */
const wire: Wire = {
  path: "/",
  headBytes: 4,
  identify(bytes, start) {
    const head = bytes.toString("latin1", start, start + 4);
    if (head.startsWith("e")) return "event";
    return head.startsWith("s") ? { key: head } : "own";
  },
  read: (text) => JSON.parse(text.slice(4)) as Said,
  *join() {
    let text = yield ["join"];
    while ((JSON.parse(text.slice(4)) as Said).joined === undefined) text = yield [];
  },
  publish: (_channel, id, _n, payload) => `{"id":${id},"payload":${payload}}`,
  signal: (_channel, payload) => payload,
};

const say = (webSocket: WebSocket, head: string, said: Said): void => webSocket.send(head.padEnd(4) + JSON.stringify(said));

/** The `i`th of the publisher 7. */
const mark = (i: number): Mark => ({ p: 7, i, t: 0 });

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

type Answering = (webSocket: WebSocket, text: string) => void;

const letIn: Answering = (webSocket, text) => {
  if (text === "join") say(webSocket, "own", { joined: true });
};

/** People who come to a server, which is told what they say, and what the server has of them. */
async function crowdAt(answer: Answering, options: Partial<CrowdOptions> = {}): Promise<{ readonly crowd: Crowd; readonly clients: readonly WebSocket[] }> {
  const clients: WebSocket[] = [];
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  server.on("connection", (webSocket) => {
    clients.push(webSocket);
    webSocket.on("message", (data: Buffer) => answer(webSocket, data.toString()));
  });
  const crowd = new Crowd({ ports: [(server.address() as AddressInfo).port], wire, ...options });
  open.push(server, crowd);
  return { crowd, clients };
}

const members = (count: number) => joinings(0, count, () => ["room"]);

/** Resolves when all that the server said before has been read: behind it, each is told of a publish. */
async function heard(crowd: Crowd, clients: readonly WebSocket[]): Promise<void> {
  for (const [index, client] of clients.entries()) {
    crowd.publish(0, "room", 0, 0);
    say(client, "own", { acks: [index + 1] });
  }
  while (crowd.unacked > 0) await new Promise((resolve) => setImmediate(resolve));
}

describe("a crowd", () => {
  test("counts what is told by its head, and reads one of 101 for its latency", async () => {
    const { crowd, clients } = await crowdAt(letIn);
    await crowd.join(members(2));
    crowd.measure(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    for (let i = 0; i < 505; i++) for (const client of clients) say(client, "e", { marks: [mark(i)] });
    await heard(crowd, clients);
    expect(crowd.tally).toMatchObject({ delivered: 1_010, messages: 1_010, disordered: 0 });
    expect(crowd.latencies.seen).toBe(10);
  });

  test("reads once what many get, and counts all that is in it for each of them", async () => {
    const { crowd, clients } = await crowdAt(letIn);
    await crowd.join(members(3));
    for (const client of clients) say(client, "s1", { marks: [mark(0), mark(1)] });
    // Nobody reads it: the key has been seen.
    for (const client of clients) client.send("s1  what would not be JSON");
    for (const client of clients) say(client, "s2", { marks: [mark(2)] });
    await heard(crowd, clients);
    expect(crowd.tally).toMatchObject({ delivered: 3 * 5, messages: 9 });
  });

  test("takes everything as a sample where all is read, what is shared as well", async () => {
    const { crowd, clients } = await crowdAt(letIn, { readsAll: true });
    await crowd.join(members(2));
    crowd.measure(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    for (const client of clients) say(client, "s1", { marks: [mark(0), mark(1)] });
    for (const client of clients) say(client, "e", { marks: [mark(2)] });
    await heard(crowd, clients);
    expect(crowd.latencies.seen).toBe(6);
    expect(crowd.seenOf(7)).toEqual([new Set([0, 1, 2]), new Set([0, 1, 2])]);
  });

  test("takes what came with an ack for a sample no more often than all else", async () => {
    const { crowd, clients } = await crowdAt(letIn);
    await crowd.join(members(1));
    crowd.measure(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    for (let i = 0; i < 202; i++) for (const client of clients) say(client, "own", { marks: [mark(i)], acks: [] });
    await heard(crowd, clients);
    expect(crowd.tally.delivered).toBe(202);
    expect(crowd.latencies.seen).toBe(2);
  });

  test("keeps latencies of what was to be sent in the window, whenever it comes", async () => {
    const { crowd, clients } = await crowdAt(letIn, { readsAll: true });
    await crowd.join(members(1));
    crowd.measure(100, 200);
    for (const client of clients) say(client, "e", { marks: [99, 100, 199, 200].map((t, i) => ({ p: 7, i, t })) });
    await heard(crowd, clients);
    expect(crowd.latencies.seen).toBe(2);
  });

  test.each([
    ["again", [0, 1, 1, 2]],
    ["after a later one", [0, 2, 1, 3]],
  ])("notices what comes %s", async (_, order) => {
    const { crowd, clients } = await crowdAt(letIn, { readsAll: true });
    await crowd.join(members(1));
    for (const i of order) for (const client of clients) say(client, "e", { marks: [mark(i)] });
    await heard(crowd, clients);
    expect(crowd.tally.disordered).toBeGreaterThan(0);
  });

  test("does not wait for one who is refused", async () => {
    const { crowd } = await crowdAt((webSocket) => say(webSocket, "own", { problem: "the room is closed" }));
    await expect(crowd.join(members(1))).rejects.toThrow("the room is closed");
  });

  test("does not wait for one whose connection ends before it is open", async () => {
    const server = createServer((socket: Socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const crowd = new Crowd({ ports: [(server.address() as AddressInfo).port], wire });
    open.push(server, crowd);
    await expect(crowd.join(members(1))).rejects.toThrow("the connection of member 0 ended");
  });

  test.each<[string, (webSocket: WebSocket) => void]>([
    ["a connection that ends", (webSocket) => webSocket.close(1013, "too slow")],
    ["a publish that is refused", (webSocket) => say(webSocket, "own", { problem: "too slow" })],
  ])("says of %s that all is not well", async (_, spoil) => {
    const { crowd, clients } = await crowdAt(letIn);
    await crowd.join(members(2));
    crowd.assertWell();
    const [, second] = clients;
    if (second === undefined) throw new Error("nobody is there");
    spoil(second);
    const isWell = (): boolean => {
      try {
        crowd.assertWell();
        return true;
      } catch {
        return false;
      }
    };
    while (isWell()) await new Promise((resolve) => setImmediate(resolve));
    expect(() => crowd.assertWell()).toThrow("too slow");
  });

  test("comes back with what it remembers", async () => {
    const resumes: unknown[] = [];
    const remembering: Wire = {
      ...wire,
      *join({ session, resume }) {
        resumes.push([session, resume]);
        yield ["join"];
      },
      remember: (before, text) => [...((before as readonly string[] | undefined) ?? []), text.slice(0, 4)],
    };
    const { crowd, clients } = await crowdAt(letIn, { wire: remembering, readsAll: true });
    await crowd.join(members(1));
    for (const client of clients) say(client, "s1", { marks: [mark(0)] });
    await heard(crowd, clients);
    crowd.cutAll();
    await crowd.rejoin();
    const [[session] = []] = resumes as readonly (readonly unknown[])[];
    expect(resumes).toEqual([
      [session, undefined],
      [session, ["own ", "s1  ", "own "]],
    ]);
    crowd.assertWell();
  });
});

describe("an offer", () => {
  const durations = { warmUpMs: 0, measuredMs: 100, drainMsMax: 5_000 };
  const server = { usage: () => usageOf(process.pid) };

  test("is no figure where nothing came of it", async () => {
    const { crowd } = await crowdAt(letIn);
    await crowd.join(members(1));
    const nothing = offer(crowd, server, durations, () => {
      crowd.publish(0, "room", clock(), 100);
      return { stop: () => {}, due: () => 1 };
    });
    await expect(nothing).rejects.toThrow("nothing came of 1 deliveries that were due");
  });

  test("of too much is told from one that was borne, where the server hangs up", async () => {
    const said = vi.spyOn(console, "error").mockReturnValue();
    const { crowd } = await crowdAt((webSocket, text) => {
      if (text === "join") letIn(webSocket, text);
      else webSocket.close(1013, "too slow");
    });
    await crowd.join(members(1));
    let isStopped = false;
    const start = () => {
      crowd.publish(0, "room", clock(), 100);
      return { stop: () => (isStopped = true), due: () => 1 };
    };
    expect(await offerTooMuch(crowd, server, durations, start)).toBeUndefined();
    expect(isStopped).toBe(true);
    expect(said).toHaveBeenCalledWith(expect.stringContaining("too slow"));
    said.mockRestore();
  });

  test("waits for the acks of what has come", async () => {
    const { crowd } = await crowdAt((webSocket, text) => {
      if (text === "join") return letIn(webSocket, text);
      const { id, payload } = JSON.parse(text) as { readonly id: number; readonly payload: Mark };
      say(webSocket, "e", { marks: [payload] });
      setTimeout(() => say(webSocket, "own", { acks: [id] }), 2 * durations.measuredMs);
    });
    await crowd.join(members(1));
    const borne = await offer(crowd, server, durations, () => {
      crowd.publish(0, "room", clock(), 100);
      return { stop: () => {}, due: () => 1 };
    });
    expect(borne.share).toBe(1);
    expect(borne.ackLatencies).toHaveLength(1);
  });

  test("has the share of what was due, and the latencies of what was sent in its time, also of what came afterwards", async () => {
    const answerLate: Answering = (webSocket, text) => {
      if (text === "join") return letIn(webSocket, text);
      const { id, payload } = JSON.parse(text) as { readonly id: number; readonly payload: Mark };
      setTimeout(() => say(webSocket, "own", { acks: [id], ...(payload.i > 0 && { marks: [payload] }) }), 2 * durations.measuredMs);
    };
    const { crowd } = await crowdAt(answerLate, { readsAll: true });
    await crowd.join(members(1));
    const borne = await offer(crowd, server, durations, () => {
      for (let count = 0; count < 4; count++) crowd.publish(0, "room", clock(), 100);
      return { stop: () => {}, due: () => 4 };
    });
    expect(borne.share).toBe(0.75);
    expect(borne.latencies).toHaveLength(3);
    expect(borne.ackLatencies).toHaveLength(4);
  });
});
