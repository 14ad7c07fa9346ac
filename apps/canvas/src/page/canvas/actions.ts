import { TuttiError, type EventInput, type EventTypeOf } from "tutti/contract";
import { randomId } from "../../canvas-id.js";
import type { contract } from "../../contract.js";
import type { Colour } from "../../palette.js";
import { guest } from "../guest.js";
import { reasonOf, tellRefusal } from "../shared/refusal.js";
import { tell } from "../shared/toast.js";
import type { Point } from "./camera.js";
import type { CanvasChannel, CanvasHistory, Editor } from "./editor.js";

/*
 * What a person does to a canvas. Each is published and shows at once; when the server refuses it, Tutti takes it back and a sentence says
 * why. While there is no connection it waits, and goes out in order. What is done to several things at once is undone at once.
 */

function publish<T extends EventTypeOf<typeof contract, "canvas:{id}">>(
  to: Pick<CanvasChannel, "publish">,
  type: T,
  payload: EventInput<typeof contract, "canvas:{id}", T>,
): void {
  to.publish(type, payload).catch((error: unknown) => tellRefusal({ type, payload }, error));
}

/** Adds a concept with its middle at a place of the canvas, and returns its id. */
export function addConcept({ history }: Editor, at: Point): string {
  const id = randomId(10);
  const { colour } = guest.getSnapshot();
  publish(history, "concept:create", { id, text: "New concept", x: at.x, y: at.y, colour });
  return id;
}

export function moveConcepts({ history }: Editor, places: ReadonlyMap<string, Point>): void {
  history.transact(() => {
    for (const [id, { x, y }] of places) publish(history, "concept:update", { id, x, y });
  });
}

export function renameConcept({ history }: Editor, id: string, text: string): void {
  publish(history, "concept:update", { id, text });
}

export function recolour({ history }: Editor, ids: readonly string[], colour: Colour): void {
  history.transact(() => {
    for (const id of ids) publish(history, "concept:update", { id, colour });
  });
}

export function connect({ history }: Editor, from: string, to: string): void {
  publish(history, "arrow:create", { id: randomId(10), from, to });
}

/** Deletes what of `ids` is a concept, with its arrows, and what is an arrow. */
export function deleteAll({ channel, history }: Editor, ids: readonly string[]): void {
  const { concepts, arrows } = channel.state.getSnapshot();
  history.transact(() => {
    for (const id of ids) {
      if (concepts.some((concept) => concept.id === id)) publish(history, "concept:delete", { id });
      else if (arrows.some((arrow) => arrow.id === id)) publish(history, "arrow:delete", { id });
    }
  });
}

/** Takes back the last thing that this person did here, whatever others have done since. */
export function undo(history: CanvasHistory): void {
  history.undo().catch(tellFull);
}

export function redo(history: CanvasHistory): void {
  history.redo().catch(tellFull);
}

/** The changes that undo others are told of as they are taken back; where there was no room for them, there were none. */
function tellFull(error: unknown): void {
  if (error instanceof TuttiError && error.code === "QUEUE_FULL") tell(reasonOf(error));
}

export function say(channel: CanvasChannel, text: string): void {
  const { name, colour } = guest.getSnapshot();
  publish(channel, "chat:post", { text, name, colour });
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
