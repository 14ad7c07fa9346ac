import { randomId } from "../../canvas-id.js";
import type { Colour } from "../../palette.js";
import { guest } from "../guest.js";
import { explainRefusal, reasonOf, tell } from "../shared/toast.js";
import type { Point } from "./camera.js";
import type { CanvasChannel, CanvasHistory, Editor } from "./editor.js";

/*
 * What a person does to a canvas. Each is published and shows at once; when the server refuses it, Tutti takes it back and a sentence says
 * why. While there is no connection it waits, and goes out in order. What is done to several things at once is undone at once.
 */

/** Adds a concept with its middle at a place of the canvas, and returns its id. */
export function addConcept({ history }: Editor, at: Point): string {
  const id = randomId(10);
  const { colour } = guest.getSnapshot();
  explainRefusal("Adding the concept", history.publish("concept:create", { id, text: "New concept", x: at.x, y: at.y, colour }));
  return id;
}

export function moveConcepts({ history }: Editor, places: ReadonlyMap<string, Point>): void {
  history.transact(() => {
    for (const [id, { x, y }] of places) explainRefusal("Moving the concept", history.publish("concept:update", { id, x, y }));
  });
}

export function renameConcept({ history }: Editor, id: string, text: string): void {
  explainRefusal("The new text", history.publish("concept:update", { id, text }));
}

export function recolour({ history }: Editor, ids: readonly string[], colour: Colour): void {
  history.transact(() => {
    for (const id of ids) explainRefusal("The new colour", history.publish("concept:update", { id, colour }));
  });
}

export function connect({ history }: Editor, from: string, to: string): void {
  explainRefusal("Drawing the arrow", history.publish("arrow:create", { id: randomId(10), from, to }));
}

/** Deletes what of `ids` is a concept, with its arrows, and what is an arrow. */
export function deleteAll({ channel, history }: Editor, ids: readonly string[]): void {
  const { concepts, arrows } = channel.state.getSnapshot();
  history.transact(() => {
    for (const id of ids) {
      if (concepts.some((concept) => concept.id === id)) explainRefusal("Deleting the concept", history.publish("concept:delete", { id }));
      else if (arrows.some((arrow) => arrow.id === id)) explainRefusal("Deleting the arrow", history.publish("arrow:delete", { id }));
    }
  });
}

/** Takes back the last thing that this person did here, whatever others have done since. */
export function undo(history: CanvasHistory): void {
  explainRefusal("Undoing", history.undo());
}

export function redo(history: CanvasHistory): void {
  explainRefusal("Redoing", history.redo());
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
