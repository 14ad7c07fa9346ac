import { createServer, memoryBroker, silentLog, type Broker, type Server, type ServerOptions } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { FaultyBroker } from "./support/faulty-broker.js";
import { room, text, textsOf } from "./support/following.js";
import { ManualEnvironment } from "./support/manual-environment.js";
import { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";

const secret = "the-secret-of-a-session";
type Options = Partial<ServerOptions<typeof rooms>>;

/** Nodes on one broker, which each of them reaches in its own way. */
async function nodesOn(...options: readonly Options[]) {
  const environment = new ManualEnvironment();
  const shared = memoryBroker({ environment });
  const nodes = options.map((each) => {
    const broker = new FaultyBroker(shared);
    return { broker, server: createServer({ contract: rooms, log: silentLog, ...each, environment, broker }) };
  });
  const connect = (server: Pick<Server, "accept">): Peer => new Peer(server, environment);
  /** The client of the session connects to a node, some time after it did so before. */
  const hop = async ({ server }: { readonly server: Pick<Server, "accept"> }): Promise<Peer> => {
    await environment.advance(1_000);
    const peer = connect(server);
    await peer.hello({ secret });
    return peer;
  };
  // They come to know each other.
  await environment.advance(2_000);
  return { environment, shared, nodes, connect, hop };
}

async function twoNodes(first: Options = {}, second: Options = first) {
  const { nodes, ...rest } = await nodesOn(first, second);
  const [a, b] = nodes;
  if (a === undefined || b === undefined) throw new Error("two options make two nodes");
  return { a, b, ...rest };
}

/** What the log has of the room. */
async function logged(broker: Broker): Promise<unknown[]> {
  const { position } = await broker.head(room);
  const page = await broker.read(room, { epoch: position.epoch, seq: 0 }, { countMax: 100 });
  return page.outcome === "page" ? page.run.events.map(({ payload }) => Object(payload).text) : [];
}

/** A handler that says where it ran, and waits there as long as a test wants. */
function handlerAt(name: string) {
  let gate: Promise<void> | undefined;
  let runs = 0;
  const options: Options = {
    channels: {
      "room:{id}": {
        publish: {
          "note:add": async ({ payload }) => {
            runs++;
            await gate;
            return text(`${payload.text} by ${name}`);
          },
        },
      },
    },
  };
  const hold = (): (() => void) => {
    let open = (): void => {};
    gate = new Promise((resolve) => (open = resolve));
    return open;
  };
  return { options, hold, runs: () => runs };
}

describe("a session whose connections are at several nodes", () => {
  it("SES-1 ends at the node where it was as soon as it opens at another, and other sessions go on", async () => {
    const { a, b, hop, connect, environment } = await twoNodes();
    const stranger = connect(a.server);
    await stranger.hello({ secret: "the-secret-of-another-one" });
    const old = await hop(a);
    const next = await hop(b);
    expect([old.errorCodes, old.closeCode]).toEqual([["SESSION_REPLACED"], 4103]);
    expect([next.closeCode, stranger.closeCode]).toEqual([undefined, undefined]);
    const back = await hop(a);
    expect([next.closeCode, back.closeCode]).toEqual([4103, undefined]);
    await environment.advance(5_000);
    expect([a, b].map(({ server }) => server.stats().sessions)).toEqual([2, 0]);
  });

  it("SES-1 is one over three nodes, however fast it hops", async () => {
    const { nodes, hop } = await nodesOn({}, {}, {});
    const peers: Peer[] = [];
    for (let hops = 0; hops < 9; hops++) for (const node of nodes) peers.push(await hop(node));
    expect(peers.map(({ closeCode }) => closeCode)).toEqual([...Array<number>(26).fill(4103), undefined]);
  });

  it("SES-2 stays where it is when an earlier connection says hello late, at another node", async () => {
    const { a, b, hop, connect, environment } = await twoNodes();
    const late = connect(a.server);
    const living = await hop(b);
    await late.hello({ secret });
    await environment.advance(1_000);
    // Without a word that a client would take for the end: if it is there after all, it comes back.
    expect([late.closeCode, late.errorCodes, living.closeCode]).toEqual([4104, [], undefined]);
  });

  it("SES-2 is at one node when both of its connections open at once", async () => {
    const { a, b, connect, environment } = await twoNodes();
    const [one, other] = [connect(a.server), connect(b.server)];
    for (const peer of [one, other]) peer.send({ op: "hello", versions: [1], session: secret });
    await environment.advance(1_000);
    expect([one, other].filter(({ closeCode }) => closeCode === undefined)).toHaveLength(1);
    expect(a.server.stats().sessions + b.server.stats().sessions).toBe(1);
  });

  it("SES-4 ends at a node that did not know of the other one, once it does", async () => {
    const { a, b, hop, environment } = await twoNodes();
    // Neither says a word for longer than a node is believed to live.
    const speak = [a, b].map(({ broker }) => {
      const broadcast = broker.broadcast.bind(broker);
      broker.broadcast = () => Promise.resolve();
      return () => void (broker.broadcast = broadcast);
    });
    const ping = async (peer: Peer, ms: number): Promise<void> => {
      for (let left = ms; left > 0; left -= 1_000) {
        peer.send({ op: "ping" });
        await environment.advance(1_000);
      }
    };
    const old = await hop(a);
    await ping(old, 10_000);
    expect(a.server.nodes()).toHaveLength(1);
    const next = await hop(b);
    expect([old.closeCode, next.closeCode]).toEqual([undefined, undefined]);
    for (const again of speak) again();
    await ping(next, 3_000);
    expect([old.closeCode, next.closeCode]).toEqual([4104, undefined]);
  });

  it("SES-5 lands a publish once where the old node is still at it, whichever of the two is done first", async () => {
    for (const isOldFirst of [true, false]) {
      const [atA, atB] = [handlerAt("a"), handlerAt("b")];
      const { a, b, hop, shared, environment } = await twoNodes(atA.options, atB.options);
      const [openA, openB] = [atA.hold(), atB.hold()];
      const old = await hop(a);
      old.request(old.publishing(room, 1, text("note")));
      const next = await hop(b);
      const id = next.request(next.publishing(room, 1, text("note"), { retry: true }));
      await environment.settle();
      expect([atA.runs(), atB.runs()]).toEqual([1, 1]);
      const [first, last] = isOldFirst ? [openA, openB] : [openB, openA];
      first();
      await environment.settle();
      last();
      await environment.settle();
      const landed = `note by ${isOldFirst ? "a" : "b"}`;
      expect(await logged(shared)).toEqual([landed]);
      expect(next.replyTo(id)).toMatchObject({ success: true, data: { position: { seq: 1 } } });
      expect(old.of("reply")).toEqual([]);
    }
  });

  it.each(["room:1", "board:1"])("SES-9 is not taken back behind what it saw by a node that is behind: %s", async (channel) => {
    const { a, b, hop, connect, environment } = await twoNodes();
    const [pattern, id] = channel.split(":");
    const handle = a.server.channel(`${pattern as "room" | "board"}:{id}`, { id: id ?? "" });
    // The channel is open at the second node, and hears nothing of it.
    b.broker.loses = () => true;
    const witness = connect(b.server);
    await witness.hello({ secret: "the-secret-of-the-witness" });
    await witness.subscribe(channel);
    const old = await hop(a);
    await old.subscribe(channel);
    for (const value of ["1", "2", "3"]) await handle.publish("note:add", text(value));
    await environment.settle();
    expect(textsOf(old, channel)).toEqual(["1", "2", "3"]);
    expect(textsOf(witness, channel)).toEqual([]);
    const { epoch, seq, eventId } = old.eventsOf(channel).at(-1) ?? { epoch: "", seq: 0, eventId: "" };
    const next = await hop(b);
    const start = await next.subscribe(channel, { since: { epoch, seq, eventId } });
    expect(start).toMatchObject({ position: { epoch, seq: 3 } });
    expect(start.gap).toBeUndefined();
    b.broker.loses = () => false;
    await handle.publish("note:add", text("4"));
    await environment.settle();
    expect(textsOf(next, channel)).toEqual(["4"]);
    expect(next.eventsOf(channel)[0]).toMatchObject({ prev: 3 });
    expect(textsOf(witness, channel)).toEqual(["1", "2", "3", "4"]);
  });
});
