import type { Canvas, Concept } from "../canvas.js";

interface Place {
  readonly x: number;
  readonly y: number;
}

const columnWidth = 270;
const rowHeight = 96;
const looseColumns = 4;

/** For each concept, how many arrows the longest way to it has. Concepts on a circle count from where the circle is entered. */
function ranksOf({ concepts, arrows }: Canvas): ReadonlyMap<string, number> {
  const ranks = new Map<string, number>();
  const open = new Set(concepts.map(({ id }) => id));
  while (open.size > 0) {
    const isFree = (id: string) => !arrows.some(({ from, to }) => to === id && from !== id && open.has(from));
    const free = [...open].filter(isFree);
    // Everything left leads to everything left: break the circle at the concept that was made first.
    const next = free.length > 0 ? free : [...open].slice(0, 1);
    for (const id of next) {
      const before = arrows.filter(({ from, to }) => to === id && ranks.has(from)).map(({ from }) => ranks.get(from) ?? 0);
      ranks.set(id, before.length === 0 ? 0 : Math.max(...before) + 1);
    }
    for (const id of next) open.delete(id);
  }
  return ranks;
}

/** Rows of a column, from top to bottom as they stood before, around `middle`. */
function column(concepts: readonly Concept[], x: number, middle: number): [string, Place][] {
  const inOrder = concepts.toSorted((a, b) => a.y - b.y);
  return inOrder.map(({ id }, row) => [id, { x, y: Math.round(middle + (row - (inOrder.length - 1) / 2) * rowHeight) }]);
}

/** Where concepts go so that arrows lead from left to right; only those that have to move. What has no arrow stands in rows below. */
export function tidyPlaces(canvas: Canvas): ReadonlyMap<string, Place> {
  const { concepts, arrows } = canvas;
  const isConnected = ({ id }: Concept) => arrows.some(({ from, to }) => from === id || to === id);
  const connected = concepts.filter(isConnected);
  const loose = concepts.filter((concept) => !isConnected(concept));

  const ranks = ranksOf({ ...canvas, concepts: connected });
  const columns = new Map<number, Concept[]>();
  for (const concept of connected) {
    const rank = ranks.get(concept.id) ?? 0;
    columns.set(rank, [...(columns.get(rank) ?? []), concept]);
  }
  const middleX = ((columns.size - 1) * columnWidth) / 2;
  const rows = Math.max(0, ...[...columns.values()].map((members) => members.length));
  const placed = [...columns].flatMap(([rank, members]) => column(members, rank * columnWidth - middleX, 0));

  const looseTop = rows === 0 ? 0 : (rows / 2 + 0.75) * rowHeight;
  const looseMiddle = ((Math.min(looseColumns, loose.length) - 1) * columnWidth) / 2;
  const below = loose.map(({ id }, index): [string, Place] => [
    id,
    { x: (index % looseColumns) * columnWidth - looseMiddle, y: Math.round(looseTop + Math.floor(index / looseColumns) * rowHeight) },
  ]);

  const current = new Map(concepts.map((concept) => [concept.id, concept]));
  return new Map([...placed, ...below].filter(([id, { x, y }]) => current.get(id)?.x !== x || current.get(id)?.y !== y));
}
