import { channel, type EventOf } from "tutti/contract";
import * as z from "zod";
import { isCanvasId } from "./canvas-id.js";
import { palette } from "./palette.js";

const canvasId = z.string().refine(isCanvasId, "is not the id of a canvas");
const canvasName = z.string().trim().min(1).max(60);

const events = {
  /** Puts a canvas on the list; one that is there already stays as it is. */
  "canvas:create": z.object({ id: canvasId, name: canvasName }),
  "canvas:rename": z.object({ id: canvasId, name: canvasName }),
};

export interface CanvasEntry {
  readonly id: string;
  readonly name: string;
  /** Unix ms. */
  readonly createdAt: number;
}

export interface Lobby {
  /** Oldest first. */
  readonly canvases: readonly CanvasEntry[];
}

/** So that the list, which everybody holds whole, stays small: the oldest canvas makes room for the newest. */
const canvasesMax = 500;

const emptyLobby: Lobby = { canvases: [] };

/** The list of canvases after an event. */
export function reduceLobby(lobby: Lobby, event: EventOf<typeof events>): Lobby {
  const { id, name } = event.payload;
  const isListed = lobby.canvases.some((canvas) => canvas.id === id);
  switch (event.type) {
    case "canvas:create":
      return isListed ? lobby : { canvases: [...lobby.canvases, { id, name, createdAt: event.timestamp }].slice(-canvasesMax) };
    case "canvas:rename":
      return isListed ? { canvases: lobby.canvases.map((canvas) => (canvas.id === id ? { ...canvas, name } : canvas)) } : lobby;
  }
}

/** The channel `lobby:main`: which canvases there are, and who is on which. */
export const lobby = channel({
  events,
  presence: z.object({
    name: z.string().trim().min(1).max(40),
    colour: z.enum(palette),
    /** The canvas that the person looks at; `null` on the list. */
    canvas: canvasId.nullable(),
  }),
  state: { version: 1, initial: emptyLobby, reduce: reduceLobby },
});
