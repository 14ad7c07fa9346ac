import type { Camera, Point } from "./camera.js";

/** What the pointer is doing on the board. */
export type Gesture =
  | { readonly kind: "none" }
  /** The canvas is pushed around; `start` is where on the screen, `camera` what it looked like then. */
  | { readonly kind: "pan"; readonly start: Point; readonly camera: Camera }
  /** The pointer is down on a concept and has not moved yet. */
  | { readonly kind: "press"; readonly start: Point; readonly places: ReadonlyMap<string, Point> }
  /** Concepts are dragged; `places` is where they were. */
  | { readonly kind: "drag"; readonly start: Point; readonly places: ReadonlyMap<string, Point>; readonly to: Point }
  /** An arrow is drawn from a concept to wherever the pointer is. */
  | { readonly kind: "connect"; readonly from: string; readonly to: Point }
  /** The text of a concept is written. */
  | { readonly kind: "edit"; readonly id: string };

export const noGesture: Gesture = { kind: "none" };

/** What lies under the pointer. */
export type Hit =
  | { readonly on: "board" }
  | { readonly on: "control" }
  | { readonly on: "concept" | "handle" | "arrow"; readonly id: string };

/** What an element of the board stands for, by its `data-hit` and `data-id`. */
export function hitOf(target: EventTarget | null): Hit {
  if (!(target instanceof Element)) return { on: "board" };
  if (target.closest("button, input, textarea, a") !== null) return { on: "control" };
  const element = target.closest("[data-hit]");
  const id = element?.getAttribute("data-id") ?? "";
  switch (element?.getAttribute("data-hit")) {
    case "concept":
      return { on: "concept", id };
    case "handle":
      return { on: "handle", id };
    case "arrow":
      return { on: "arrow", id };
    default:
      return { on: "board" };
  }
}

/** The concept at a place of the screen. */
export function conceptAt(screen: Point): string | undefined {
  const hit = hitOf(document.elementFromPoint(screen.x, screen.y));
  return hit.on === "concept" || hit.on === "handle" ? hit.id : undefined;
}

/** Where dragged concepts are now. */
export function draggedPlaces(gesture: Gesture): ReadonlyMap<string, Point> {
  if (gesture.kind !== "drag") return nowhere;
  const dx = Math.round(gesture.to.x - gesture.start.x);
  const dy = Math.round(gesture.to.y - gesture.start.y);
  return new Map([...gesture.places].map(([id, place]) => [id, { x: place.x + dx, y: place.y + dy }]));
}

const nowhere: ReadonlyMap<string, Point> = new Map();
