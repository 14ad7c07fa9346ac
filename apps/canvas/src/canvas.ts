import { channel, type EventOf, type PublishOf } from "tutti/contract";
import * as z from "zod";
import { palette, type Colour } from "./palette.js";

const id = z.string().regex(/^[a-z0-9]{4,24}$/, "is not an id");
const text = z.string().trim().min(1).max(140);
const coordinate = z.number().min(-100_000).max(100_000).transform(Math.round);
const colour = z.enum(palette);
const place = z.object({ id, x: coordinate, y: coordinate });

const events = {
  "concept:create": z.object({ id, text, x: coordinate, y: coordinate, colour }),
  /** Moves, renames or recolours: what is left out stays as it is. */
  "concept:update": z.object({
    id,
    text: text.exactOptional(),
    x: coordinate.exactOptional(),
    y: coordinate.exactOptional(),
    colour: colour.exactOptional(),
  }),
  "concept:delete": z.object({ id }),
  "arrow:create": z.object({ id, from: id, to: id }),
  "arrow:delete": z.object({ id }),
  "chat:post": z.object({ text: z.string().trim().min(1).max(500), name: z.string().min(1).max(40), colour }),
};

/** An idea on the canvas; `x` and `y` are where its middle is. */
export interface Concept {
  readonly id: string;
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly colour: Colour;
}

/** Leads from one concept to another. */
export interface Arrow {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

export interface Message {
  readonly id: string;
  readonly text: string;
  /** What the writer was called at that time. `user` is who it was. */
  readonly name: string;
  readonly colour: Colour;
  readonly user: string | undefined;
  /** Unix ms. */
  readonly at: number;
}

export interface Canvas {
  readonly concepts: readonly Concept[];
  readonly arrows: readonly Arrow[];
  /** The newest messages, oldest first. */
  readonly chat: readonly Message[];
}

/** How many concepts a canvas holds; the server refuses more. */
export const conceptsMax = 300;
const messagesMax = 200;

const emptyCanvas: Canvas = { concepts: [], arrows: [], chat: [] };

function conceptOf({ concepts }: Canvas, conceptId: string): Concept | undefined {
  return concepts.find((concept) => concept.id === conceptId);
}

function touches({ from, to }: Arrow, conceptId: string): boolean {
  return from === conceptId || to === conceptId;
}

/** Whether an arrow has both its ends, and is there neither by its id nor between the same two. */
function isDrawable(canvas: Canvas, { id: arrowId, from, to }: Arrow): boolean {
  const isDrawn = canvas.arrows.some((arrow) => arrow.id === arrowId || (arrow.from === from && arrow.to === to));
  return !isDrawn && from !== to && conceptOf(canvas, from) !== undefined && conceptOf(canvas, to) !== undefined;
}

/**
 * The canvas after an event. Two people may act at once, so an event can come to a canvas on which its concept is gone or its arrow is
 * drawn already; it then changes nothing, on every page and on the server alike.
 */
export function reduceCanvas(canvas: Canvas, event: EventOf<typeof events>): Canvas {
  const concept = "id" in event.payload ? conceptOf(canvas, event.payload.id) : undefined;
  switch (event.type) {
    case "concept:create":
      return concept === undefined ? { ...canvas, concepts: [...canvas.concepts, event.payload] } : canvas;
    case "concept:update": {
      const change = event.payload;
      if (concept === undefined) return canvas;
      return { ...canvas, concepts: canvas.concepts.map((other) => (other === concept ? { ...concept, ...change } : other)) };
    }
    case "concept:delete":
      if (concept === undefined) return canvas;
      return {
        ...canvas,
        concepts: canvas.concepts.filter((other) => other !== concept),
        arrows: canvas.arrows.filter((arrow) => !touches(arrow, concept.id)),
      };
    case "arrow:create":
      return isDrawable(canvas, event.payload) ? { ...canvas, arrows: [...canvas.arrows, event.payload] } : canvas;
    case "arrow:delete":
      return { ...canvas, arrows: canvas.arrows.filter((arrow) => arrow.id !== event.payload.id) };
    case "chat:post": {
      const message = { ...event.payload, id: event.eventId, user: event.user, at: event.timestamp };
      return { ...canvas, chat: [...canvas.chat, message].slice(-messagesMax) };
    }
  }
}

type Change = PublishOf<typeof events>;

/** The update that gives `concept` back the values that `change` takes from it. */
function restoring(concept: Concept, change: Extract<Change, { type: "concept:update" }>["payload"]): readonly Change[] | undefined {
  const { id: conceptId, text: words, x, y, colour: tint } = concept;
  const before = {
    ...(change.text !== undefined && change.text !== words && { text: words }),
    ...(change.x !== undefined && change.x !== x && { x }),
    ...(change.y !== undefined && change.y !== y && { y }),
    ...(change.colour !== undefined && change.colour !== tint && { colour: tint }),
  };
  return Object.keys(before).length === 0 ? undefined : [{ type: "concept:update", payload: { id: conceptId, ...before } }];
}

/**
 * What takes back `change`, which met `before`. Nothing for a change without effect, since taking it back would have one; nor for what was
 * said, since others have read it.
 */
export function inverseOf(change: Change, before: Canvas): readonly Change[] | undefined {
  const concept = "id" in change.payload ? conceptOf(before, change.payload.id) : undefined;
  switch (change.type) {
    case "concept:create":
      return concept === undefined ? [{ type: "concept:delete", payload: { id: change.payload.id } }] : undefined;
    case "concept:update":
      return concept && restoring(concept, change.payload);
    case "concept:delete": {
      if (concept === undefined) return undefined;
      // Its arrows went with it. They come back after it, since an arrow needs both its ends.
      const arrows = before.arrows.filter((arrow) => touches(arrow, concept.id));
      return [{ type: "concept:create", payload: concept }, ...arrows.map((payload): Change => ({ type: "arrow:create", payload }))];
    }
    case "arrow:create":
      return isDrawable(before, change.payload) ? [{ type: "arrow:delete", payload: { id: change.payload.id } }] : undefined;
    case "arrow:delete": {
      const arrow = before.arrows.find(({ id: drawn }) => drawn === change.payload.id);
      return arrow && [{ type: "arrow:create", payload: arrow }];
    }
    case "chat:post":
      return undefined;
  }
}

/** The channels `canvas:{id}`: one canvas, the people on it, and what they say. */
export const canvas = channel({
  events,
  signals: {
    /** Where somebody's pointer is, in the coordinates of the canvas. */
    "cursor:move": z.object({ x: coordinate, y: coordinate }),
    /** Where concepts are while somebody drags them; where they end up is a `concept:update`. */
    "concept:drag": z.object({ concepts: z.array(place).max(conceptsMax) }),
  },
  calls: {
    /** Lays the concepts out along their arrows. Everybody gets the moves as events; the answer says how many there were. */
    "canvas:tidy": { input: z.object({}), output: z.object({ moved: z.int().nonnegative() }) },
  },
  presence: z.object({
    name: z.string().trim().min(1).max(40),
    colour,
    /** The selected concepts. */
    selection: z.array(id).max(conceptsMax),
    /** What the person looks at: the middle of the view, and its zoom. */
    view: z.object({ x: coordinate, y: coordinate, zoom: z.number().positive().max(4) }),
  }),
  state: { version: 1, initial: emptyCanvas, reduce: reduceCanvas, inverse: inverseOf },
});
