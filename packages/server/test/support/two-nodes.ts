import type { Member } from "@tutti/protocol";
import { Neighbours, type Neighbour } from "./neighbours.js";
import type { Peer } from "./peer.js";
import { rooms } from "./rooms.js";

export type Node = Neighbour<typeof rooms>;
type Options = NonNullable<ConstructorParameters<typeof Neighbours<typeof rooms>>[0]>;

export const room = "room:1";
/** On which nodes tell each other of the room. */
export const topic = `channel:${room}`;
export const called = (name: string) => ({ name });

/** Two nodes that have known each other for a while. */
export async function two(options: Options = {}) {
  const nodes = new Neighbours({ contract: rooms, ...options });
  const [here, there] = [await nodes.start(), await nodes.start()];
  await nodes.advance(2_000);
  /** A peer that is in the room, by its name. */
  const enter = async (node: Node, name: string, hello: { readonly secret?: string } = {}): Promise<Peer> => {
    const peer = await nodes.peerAt(node, hello);
    await peer.subscribe(room, { member: called(name) });
    await nodes.settle();
    return peer;
  };
  /** A peer that looks who is in the room; what came until now is forgotten. */
  const watcherAt = async (node: Node): Promise<Peer> => {
    const peer = await nodes.peerAt(node);
    await peer.subscribe(room, { presence: true });
    await nodes.settle();
    peer.forget();
    return peer;
  };
  /** Time in which all connections live. */
  const pass = async (ms: number, ...peers: readonly Peer[]): Promise<void> => {
    for (let left = ms; left > 0; left -= 1_000) {
      for (const peer of peers) peer.send({ op: "ping" });
      await nodes.advance(Math.min(left, 1_000));
    }
  };
  return { nodes, here, there, enter, watcherAt, pass };
}

export const membersAt = (node: Node, id = "1"): readonly Member[] => node.server.channel("room:{id}", { id }).members();
export const namesAt = (node: Node): unknown[] => membersAt(node).map(nameOf).toSorted();
export const nameOf = ({ state, away }: Member): string => `${String(Object(state).name)}${away === true ? " away" : ""}`;
export const newsOf = (peer: Peer): string[] => peer.changesOf(room).map(({ type, member }) => `${type.slice("presence:".length)} ${nameOf(member)}`);
