import { useCallback, useMemo, type CSSProperties } from "react";
import type { Canvas, Concept } from "../../canvas.js";
import { renameConcept } from "./actions.js";
import type { Box } from "./arrow-path.js";
import { Arrows } from "./Arrows.js";
import type { Point, Size } from "./camera.js";
import { ConceptCard, type Selector } from "./ConceptCard.js";
import { Cursors } from "./Cursors.js";
import { draggedPlaces, noGesture } from "./gesture.js";
import { useOthersDrags, type CanvasDevice } from "./others.js";
import { useGestures, type BoardModel } from "./useGestures.js";
import { useGlide } from "./useGlide.js";
import { useSizes } from "./useSizes.js";

interface BoardProps {
  readonly model: BoardModel;
  readonly canvas: Canvas;
  /** The ids of the concepts and arrows with a change that the server has not confirmed. */
  readonly pending: ReadonlySet<string>;
  readonly others: readonly CanvasDevice[];
}

const nobody: readonly Selector[] = [];
const unmeasured: Size = { width: 150, height: 46 };

/** The canvas itself: concepts, arrows, and the others' pointers. */
export function Board({ model, canvas, pending, others }: BoardProps) {
  const { board, editor, camera, selection, gesture, setGesture } = model;
  const handlers = useGestures(model);
  const { sizes, measure } = useSizes();
  const places = usePlaces(model, canvas.concepts);
  const selectors = useSelectors(others);

  const onEdited = useCallback(
    (id: string, text: string | undefined) => {
      if (text !== undefined) renameConcept(editor, id, text);
      setGesture(noGesture);
      board.current?.focus();
    },
    [board, editor, setGesture],
  );

  const boxes = new Map<string, Box>(canvas.concepts.map((concept) => [concept.id, { ...(places.get(concept.id) ?? concept), ...(sizes.get(concept.id) ?? unmeasured) }]));
  const texts = new Map(canvas.concepts.map(({ id, text }) => [id, text]));

  const modeOf = (id: string) => {
    if (gesture.kind === "edit" && gesture.id === id) return "editing";
    return selection.includes(id) ? "selected" : "resting";
  };

  return (
    <div
      ref={board}
      className="board"
      data-testid="board"
      data-gesture={gesture.kind}
      role="application"
      aria-label="Canvas. Double-click to add a concept"
      tabIndex={0}
      style={boardStyle(camera)}
      {...handlers}
    >
      <div className="world">
        <Arrows
          arrows={canvas.arrows}
          boxes={boxes}
          selection={selection}
          pending={pending}
          loose={gesture.kind === "connect" ? gesture : undefined}
          textOf={(id) => texts.get(id) ?? ""}
        />
        {canvas.concepts.map((concept) => {
          const { x, y } = places.get(concept.id) ?? concept;
          return (
            <ConceptCard
              key={concept.id}
              concept={concept}
              x={x}
              y={y}
              mode={modeOf(concept.id)}
              isPending={pending.has(concept.id)}
              selectors={selectors.get(concept.id) ?? nobody}
              measure={measure}
              onEdited={onEdited}
            />
          );
        })}
        <Cursors channel={editor.channel} others={others} />
      </div>
    </div>
  );
}

/** Where concepts are shown: under this person's pointer, gliding after somebody else's, or where the canvas has them. */
function usePlaces({ editor, gesture }: BoardModel, concepts: readonly Concept[]): ReadonlyMap<string, Point> {
  const own = useMemo(() => draggedPlaces(gesture), [gesture]);
  const drags = useOthersDrags(editor.channel);
  const targets = useMemo(
    () => new Map(concepts.map((concept): [string, Point] => [concept.id, own.get(concept.id) ?? drags.get(concept.id) ?? concept])),
    [concepts, own, drags],
  );
  const gliding = useGlide(targets, own);
  return useMemo(() => new Map([...gliding, ...own]), [gliding, own]);
}

/** Who else has selected what, by the id of the concept. */
function useSelectors(others: readonly CanvasDevice[]): ReadonlyMap<string, readonly Selector[]> {
  return useMemo(() => {
    const selectors = new Map<string, readonly Selector[]>();
    for (const { state } of others) {
      for (const id of state.selection) selectors.set(id, [...(selectors.get(id) ?? []), { name: state.name, colour: state.colour }]);
    }
    return selectors;
  }, [others]);
}

/** The camera as what the style sheet needs of it. */
function boardStyle({ x, y, zoom }: { readonly x: number; readonly y: number; readonly zoom: number }): CSSProperties {
  const style: CSSProperties & Readonly<Record<`--${string}`, string | number>> = { "--x": `${-x}px`, "--y": `${-y}px`, "--zoom": zoom };
  return style;
}
