import type { LastSeen, Position } from "@tutti/protocol";
import { expect } from "vitest";
import { text } from "./following.js";
import type { ReceivedEvent } from "./peer.js";
import type { rooms } from "./rooms.js";
import type { World } from "./world.js";

/** The server publishes these; where they stand. */
export async function append(world: World<typeof rooms>, ...values: readonly string[]): Promise<Position[]> {
  const handle = world.server.channel("room:{id}", { id: "1" });
  const positions: Position[] = [];
  for (const value of values) positions.push((await handle.publish("note:add", text(value))).position);
  return positions;
}

/** The same, with the event of each. */
export async function appendSeen(world: World<typeof rooms>, ...values: readonly string[]): Promise<LastSeen[]> {
  const handle = world.server.channel("room:{id}", { id: "1" });
  const seen: LastSeen[] = [];
  for (const value of values) {
    const { position, eventId } = await handle.publish("note:add", text(value));
    seen.push({ ...position, eventId });
  }
  return seen;
}

export function placeOf({ epoch, seq }: Position): Position {
  return { epoch, seq };
}

/** Each event follows the one before it, from `start` on. */
export function expectChain(start: Position, events: readonly ReceivedEvent[]): void {
  let { epoch, seq } = start;
  for (const event of events) {
    expect({ epoch: event.epoch, prev: event.prev }).toEqual({ epoch, prev: seq });
    ({ epoch, seq } = event);
  }
}
