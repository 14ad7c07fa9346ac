import type { Point, Size } from "./camera.js";

/** A card on the canvas: its middle and its size. */
export type Box = Point & Size;

interface Anchor extends Point {
  /** Where the arrow leaves to, as a unit vector. */
  readonly dx: number;
  readonly dy: number;
}

const gap = 5;
/** Sideways unless the cards leave no room for it. */
const roomMin = 24;

type Direction = "sideways" | "upright";

function directionBetween(from: Box, to: Box): Direction {
  const roomBeside = Math.abs(to.x - from.x) - (from.width + to.width) / 2;
  const roomAbove = Math.abs(to.y - from.y) - (from.height + to.height) / 2;
  return roomBeside >= roomMin || roomBeside >= roomAbove ? "sideways" : "upright";
}

/** The middle of the side of `box` that looks towards `target`. */
function anchorOf(box: Box, target: Point, direction: Direction): Anchor {
  if (direction === "sideways") {
    const dx = target.x < box.x ? -1 : 1;
    return { x: box.x + dx * (box.width / 2 + gap), y: box.y, dx, dy: 0 };
  }
  const dy = target.y < box.y ? -1 : 1;
  return { x: box.x, y: box.y + dy * (box.height / 2 + gap), dx: 0, dy };
}

function curve(start: Anchor, end: Anchor): string {
  const bend = Math.min(120, Math.hypot(end.x - start.x, end.y - start.y) * 0.4);
  const first = `${start.x + start.dx * bend} ${start.y + start.dy * bend}`;
  const second = `${end.x + end.dx * bend} ${end.y + end.dy * bend}`;
  return `M ${start.x} ${start.y} C ${first}, ${second}, ${end.x} ${end.y}`;
}

/** The line from one card to another, for the `d` of an SVG path. */
export function pathBetween(from: Box, to: Box): string {
  const direction = directionBetween(from, to);
  return curve(anchorOf(from, to, direction), anchorOf(to, from, direction));
}

/** The line from a card to a loose end. */
export function pathTo(from: Box, end: Point): string {
  const direction = directionBetween(from, { ...end, width: 0, height: 0 });
  return curve(anchorOf(from, end, direction), { ...end, dx: 0, dy: 0 });
}
