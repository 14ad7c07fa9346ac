import type { ServerOptions } from "@tutti/server";
import type { Peer } from "./peer.js";
import { rooms } from "./rooms.js";
import { World } from "./world.js";

export const room = "room:1";
export const text = (value: string) => ({ text: value });
export const textsOf = (peer: Peer, channel = room): unknown[] => peer.payloadsOf(channel).map((payload) => Object(payload).text);

/** A room that somebody follows, and what may happen to it. */
export async function following(options: ServerOptions<typeof rooms> = {}) {
  const world = new World({ contract: rooms, ...options });
  const peer = await world.peer();
  await peer.subscribe(room);
  const handle = world.server.channel("room:{id}", { id: "1" });
  const publish = async (...values: readonly string[]): Promise<void> => {
    for (const value of values) await handle.publish("note:add", text(value));
  };
  /** Publishes what the bus loses. */
  const lose = async (...values: readonly string[]): Promise<void> => {
    world.broker.loses = () => true;
    await publish(...values);
    world.broker.loses = () => false;
  };
  /** Keeps the connection alive. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1_000) {
      peer.send({ op: "ping" });
      await world.advance(Math.min(left, 1_000));
    }
  };
  return { world, peer, publish, lose, pass };
}
