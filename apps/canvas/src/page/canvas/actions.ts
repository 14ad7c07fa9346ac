import type { Channel } from "tutti/client";
import { randomId } from "../../canvas-id.js";
import type { contract } from "../../contract.js";
import type { Colour } from "../../palette.js";
import { guest } from "../guest.js";
import { explainRefusal, reasonOf, tell } from "../shared/toast.js";
import type { Point } from "./camera.js";

export type CanvasChannel = Channel<typeof contract, "canvas:{id}">;

/*
 * What a person does to a canvas. Each is published and shows at once; when the server refuses it, Tutti takes it back and a sentence says
 * why. While there is no connection it waits, and goes out in order.
 */

/** Adds a concept with its middle at a place of the canvas, and returns its id. */
export function addConcept(channel: CanvasChannel, at: Point): string {
  const id = randomId(10);
  const { colour } = guest.getSnapshot();
  explainRefusal("Adding the concept", channel.publish("concept:create", { id, text: "New concept", x: at.x, y: at.y, colour }));
  return id;
}

export function moveConcepts(channel: CanvasChannel, places: ReadonlyMap<string, Point>): void {
  for (const [id, { x, y }] of places) explainRefusal("Moving the concept", channel.publish("concept:update", { id, x, y }));
}

export function renameConcept(channel: CanvasChannel, id: string, text: string): void {
  explainRefusal("The new text", channel.publish("concept:update", { id, text }));
}

export function recolour(channel: CanvasChannel, ids: readonly string[], colour: Colour): void {
  for (const id of ids) explainRefusal("The new colour", channel.publish("concept:update", { id, colour }));
}

export function connect(channel: CanvasChannel, from: string, to: string): void {
  explainRefusal("Drawing the arrow", channel.publish("arrow:create", { id: randomId(10), from, to }));
}

/** Deletes what of `ids` is a concept, with its arrows, and what is an arrow. */
export function deleteAll(channel: CanvasChannel, ids: readonly string[]): void {
  const { concepts, arrows } = channel.state.getSnapshot();
  for (const id of ids) {
    if (concepts.some((concept) => concept.id === id)) explainRefusal("Deleting the concept", channel.publish("concept:delete", { id }));
    else if (arrows.some((arrow) => arrow.id === id)) explainRefusal("Deleting the arrow", channel.publish("arrow:delete", { id }));
  }
}

export function say(channel: CanvasChannel, text: string): void {
  const { name, colour } = guest.getSnapshot();
  explainRefusal("Your message", channel.publish("chat:post", { text, name, colour }));
}

/** Asks the server to lay the canvas out. A call is answered or fails; it does not wait for a connection. */
export async function tidy(channel: CanvasChannel): Promise<void> {
  try {
    const { moved } = await channel.call("canvas:tidy", {});
    if (moved === 0) tell("The canvas is tidy already.");
  } catch (error) {
    tell(`The canvas was not tidied up. ${reasonOf(error)}`);
  }
}
