import type { Arrow } from "../../canvas.js";
import { pathBetween, pathTo, type Box } from "./arrow-path.js";
import type { Point } from "./camera.js";

interface ArrowsProps {
  readonly arrows: readonly Arrow[];
  /** The cards by the ids of their concepts. */
  readonly boxes: ReadonlyMap<string, Box>;
  readonly selection: readonly string[];
  readonly pending: ReadonlySet<string>;
  /** The arrow that is being drawn. */
  readonly loose: { readonly from: string; readonly to: Point } | undefined;
  readonly textOf: (conceptId: string) => string;
}

export function Arrows({ arrows, boxes, selection, pending, loose, textOf }: ArrowsProps) {
  const looseFrom = loose && boxes.get(loose.from);
  return (
    <svg className="arrows">
      <defs>
        <marker id="arrow-head" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
          <path d="M1.5 1.5 8.5 5 1.5 8.5" fill="none" stroke="context-stroke" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" />
        </marker>
      </defs>
      {arrows.map(({ id, from, to }) => {
        const start = boxes.get(from);
        const end = boxes.get(to);
        if (start === undefined || end === undefined) return null;
        const path = pathBetween(start, end);
        return (
          <g
            key={id}
            className="arrow"
            data-testid="arrow"
            data-hit="arrow"
            data-id={id}
            data-selected={selection.includes(id)}
            data-pending={pending.has(id)}
            role="button"
            tabIndex={0}
            aria-label={`Arrow from ${textOf(from)} to ${textOf(to)}`}
            aria-pressed={selection.includes(id)}
          >
            <path className="arrow-grip" d={path} />
            <path className="arrow-line" d={path} markerEnd="url(#arrow-head)" />
          </g>
        );
      })}
      {loose && looseFrom && <path className="arrow-line arrow-loose" d={pathTo(looseFrom, loose.to)} markerEnd="url(#arrow-head)" />}
    </svg>
  );
}
