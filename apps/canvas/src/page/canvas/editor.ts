import { undoHistory, type Channel, type UndoHistory } from "tutti/client";
import { contract } from "../../contract.js";
import { client } from "../client.js";

export type CanvasChannel = Channel<typeof contract, "canvas:{id}">;
export type CanvasHistory = UndoHistory<typeof contract, "canvas:{id}">;

/** A canvas, and what this person did to it. */
export interface Editor {
  readonly channel: CanvasChannel;
  /** Everything that can be undone is published here. */
  readonly history: CanvasHistory;
}

let latest: Editor | undefined;

/** The editor of a canvas: the same one, with what can be undone, until another canvas is opened. */
export function editorOf(id: string): Editor {
  const channel = client.channel("canvas:{id}", { id });
  if (latest?.channel.name === channel.name) return latest;
  latest?.history.close();
  latest = { channel, history: undoHistory(channel, { contract }) };
  return latest;
}
