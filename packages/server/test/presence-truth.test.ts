import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Neighbours, sessionOf, type Neighbour } from "./support/neighbours.js";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";

type Node = Neighbour<typeof rooms>;
type Act = "enter" | "update" | "leave" | "drop" | "bye" | "idle" | "active";
type Fault = "deaf" | "mute" | "deaf to channels" | "mute on channels" | "mute to nodes" | "none";

const room = "room:1";
const NODES = 3;
const CLIENTS = 4;

const act = fc.record({
  who: fc.nat(CLIENTS - 1),
  act: fc.constantFrom<Act>("enter", "update", "leave", "drop", "bye", "idle", "active"),
  at: fc.nat(NODES - 1),
});
const fault = fc.record({ node: fc.nat(NODES - 1), fault: fc.constantFrom<Fault>("deaf", "mute", "deaf to channels", "mute on channels", "mute to nodes", "none") });
const moment = fc.oneof(
  { weight: 6, arbitrary: act },
  { weight: 3, arbitrary: fc.record({ passMs: fc.constantFrom(0, 0, 200, 1_000, 3_000, 8_000) }) },
  { weight: 2, arbitrary: fault },
  { weight: 1, arbitrary: fc.record({ stop: fc.nat(NODES - 1) }) },
);

/** A client as far as this is about: where its connection is, and what it entered with. */
interface Client {
  readonly secret: string;
  connection: { readonly node: Node; readonly peer: Peer } | undefined;
  state: string | undefined;
  activity: "active" | "idle";
  session: string;
}

class Scene {
  readonly nodes = new Neighbours({ contract: rooms, presencePartMax: 2, presenceDigestMax: 2 });
  readonly alive: Node[] = [];
  readonly watchers = new Map<Node, Peer>();
  readonly clients: readonly Client[] = Array.from({ length: CLIENTS }, (_, who) => ({
    secret: `${who}`.padEnd(22, "-"),
    connection: undefined,
    state: undefined,
    activity: "active",
    session: "",
  }));
  #count = 0;

  async start(): Promise<void> {
    for (let index = 0; index < NODES; index++) await this.startNode();
  }

  async startNode(): Promise<void> {
    const node = await this.nodes.start();
    this.alive.push(node);
    const watcher = await this.nodes.peerAt(node);
    await watcher.subscribe(room, { presence: true });
    this.watchers.set(node, watcher);
  }

  async act(client: Client, which: Act, at: Node): Promise<void> {
    const name = `${++this.#count}`;
    if (which === "enter") await this.#connect(client, at, name);
    const peer = client.connection?.peer;
    if (peer === undefined) return;
    if (which === "update" && client.state !== undefined) {
      peer.request({ op: "presence", channel: room, member: { name } });
      client.state = name;
    } else if (which === "leave") {
      peer.request({ op: "presence", channel: room });
      client.state = undefined;
    } else if (which === "idle" || which === "active") {
      peer.send({ op: "activity", activity: which });
      client.activity = which;
    } else if (which === "drop" || which === "bye") this.#end(client, which);
    await Promise.resolve();
  }

  /** A node stops and another one starts in its place; those who were there have no connection. */
  async replace(node: Node): Promise<void> {
    this.alive.splice(this.alive.indexOf(node), 1);
    this.watchers.delete(node);
    for (const client of this.clients) if (client.connection?.node === node) this.#forget(client);
    await node.server.close();
    await this.startNode();
  }

  fail(node: Node, what: Fault): void {
    const { link } = node;
    const all = (): boolean => true;
    const none = (): boolean => false;
    const channels = (about: string): boolean => about.startsWith("channel:");
    link.losesDelivery = what === "deaf" ? all : what === "deaf to channels" ? channels : none;
    link.losesBroadcast = what === "mute" ? all : what === "mute on channels" ? channels : what === "mute to nodes" ? (about) => about.startsWith("node:") : none;
  }

  /** Time in which every connection that there is lives. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1_000) {
      const clients = this.clients.flatMap(({ connection }) => (connection === undefined ? [] : [connection.peer]));
      for (const peer of [...clients, ...this.watchers.values()]) peer.send({ op: "ping" });
      await this.nodes.advance(Math.min(left, 1_000));
    }
  }

  /** Who is in the room in truth. */
  get truth(): string[] {
    const here = this.clients.filter(({ connection, state }) => connection !== undefined && state !== undefined);
    return here.map(({ session, state, activity }) => `${session} ${state} ${activity}`).toSorted();
  }

  async #connect(client: Client, node: Node, name: string): Promise<void> {
    // A client opens one connection after the other; it knows that the one before is over, the server may not.
    client.connection?.peer.drop();
    const peer = await node.peer({ secret: client.secret });
    client.connection = { node, peer };
    client.session = sessionOf(peer);
    client.activity = "active";
    peer.request({ op: "subscribe", channel: room, member: { name } });
    client.state = name;
  }

  #end(client: Client, how: "drop" | "bye"): void {
    if (how === "drop") client.connection?.peer.drop();
    else client.connection?.peer.send({ op: "bye" });
    this.#forget(client);
  }

  #forget(client: Client): void {
    client.connection = undefined;
    client.state = undefined;
  }
}

/** What the watcher of a node has been told of, put together as a client does. */
function seenBy(watcher: Peer): string[] {
  const seen = new Map<string, string>();
  for (const { members, changes = [] } of watcher.of("presence")) {
    if (members !== undefined) seen.clear();
    for (const { session, state, activity } of members ?? []) seen.set(session, `${session} ${String(Object(state).name)} ${activity}`);
    for (const { type, member } of changes) {
      if (type === "presence:leave") seen.delete(member.session);
      else seen.set(member.session, `${member.session} ${String(Object(member.state).name)} ${member.activity}`);
    }
  }
  return [...seen.values()].toSorted();
}

describe("presence over nodes", () => {
  it("PRE-13 is true at every node once nothing fails any more, whatever was lost and whoever stopped", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(moment, { maxLength: 40 }), async (moments) => {
        const scene = new Scene();
        await scene.start();
        for (const each of moments) {
          if ("passMs" in each) await scene.pass(each.passMs);
          else if ("fault" in each) scene.fail(scene.alive[each.node]!, each.fault);
          else if ("stop" in each) await scene.replace(scene.alive[each.stop]!);
          else await scene.act(scene.clients[each.who]!, each.act, scene.alive[each.at]!);
        }
        for (const node of scene.alive) scene.fail(node, "none");
        // The time of grace, and that until a node that was cut off is known again; no connection is half open here.
        await scene.pass(17_000);
        for (const node of scene.alive) {
          const members = node.server.channel("room:{id}", { id: "1" }).members();
          expect(members.map(({ session, state, activity }) => `${session} ${String(Object(state).name)} ${activity}`).toSorted()).toEqual(scene.truth);
          expect(members.filter(({ away }) => away === true)).toEqual([]);
          expect(seenBy(scene.watchers.get(node)!)).toEqual(scene.truth);
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
