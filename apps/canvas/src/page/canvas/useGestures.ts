import { useEffect, type MouseEvent, type PointerEvent, type RefObject } from "react";
import { addConcept, connect, moveConcepts } from "./actions.js";
import { pan, toCanvas, zoomBy, type Camera, type Point } from "./camera.js";
import type { CanvasChannel, Editor } from "./editor.js";
import { conceptAt, draggedPlaces, hitOf, noGesture, type Gesture } from "./gesture.js";

/** How far the pointer moves before a press is a drag, in pixels of the screen. */
const dragThresholdPx = 4;

export interface BoardModel {
  readonly board: RefObject<HTMLDivElement | null>;
  readonly editor: Editor;
  readonly camera: Camera;
  readonly setCamera: (change: (camera: Camera) => Camera) => void;
  readonly selection: readonly string[];
  readonly setSelection: (selection: readonly string[]) => void;
  readonly gesture: Gesture;
  readonly setGesture: (gesture: Gesture) => void;
}

/** Where the concepts among `ids` are. */
export function placesOf(channel: CanvasChannel, ids: readonly string[]): ReadonlyMap<string, Point> {
  const { concepts } = channel.state.getSnapshot();
  return new Map(concepts.filter(({ id }) => ids.includes(id)).map(({ id, x, y }) => [id, { x, y }]));
}

/** Pointer and wheel of the board. The pointer and what is dragged go to the others as signals, what comes of it as events. */
export function useGestures(model: BoardModel) {
  const { board, editor, camera, setCamera, selection, setSelection, gesture, setGesture } = model;
  const { channel } = editor;
  useWheel(model);

  const screenOf = (event: MouseEvent): Point => ({ x: event.clientX, y: event.clientY });
  const placeOf = (event: MouseEvent): Point => {
    const rect = board.current?.getBoundingClientRect() ?? new DOMRect();
    return toCanvas(camera, rect, screenOf(event));
  };

  function pressConcept(event: PointerEvent, id: string) {
    const isSelected = selection.includes(id);
    if (event.shiftKey) return setSelection(isSelected ? selection.filter((other) => other !== id) : [...selection, id]);
    const next = isSelected ? selection : [id];
    setSelection(next);
    setGesture({ kind: "press", start: placeOf(event), places: placesOf(channel, next) });
  }

  function onPointerDown(event: PointerEvent<HTMLDivElement>) {
    if (event.button === 2) return;
    const hit = hitOf(event.target);
    if (hit.on === "control" || gesture.kind === "connect") return;
    // The capture brings the moves here that leave the board, and also the end of them.
    event.currentTarget.setPointerCapture(event.pointerId);
    switch (hit.on) {
      case "board":
        setSelection([]);
        return setGesture({ kind: "pan", start: screenOf(event), camera });
      case "concept":
        return pressConcept(event, hit.id);
      case "handle":
        return setGesture({ kind: "connect", from: hit.id, to: placeOf(event) });
      case "arrow":
        return setSelection([hit.id]);
    }
  }

  function onPointerMove(event: PointerEvent<HTMLDivElement>) {
    const place = placeOf(event);
    channel.signal("cursor:move", place);
    switch (gesture.kind) {
      case "pan": {
        const { start, camera: before } = gesture;
        return setCamera(() => pan(before, event.clientX - start.x, event.clientY - start.y));
      }
      case "press": {
        const moved = Math.hypot(place.x - gesture.start.x, place.y - gesture.start.y) * camera.zoom;
        if (moved >= dragThresholdPx) setGesture({ ...gesture, kind: "drag", to: place });
        return;
      }
      case "drag": {
        const next = { ...gesture, to: place };
        channel.signal("concept:drag", { concepts: [...draggedPlaces(next)].map(([id, { x, y }]) => ({ id, x, y })) });
        return setGesture(next);
      }
      case "connect":
        return setGesture({ ...gesture, to: place });
      case "none":
      case "edit":
        return;
    }
  }

  function onPointerUp(event: PointerEvent<HTMLDivElement>) {
    if (gesture.kind === "none" || gesture.kind === "edit") return;
    if (gesture.kind === "drag") moveConcepts(editor, draggedPlaces({ ...gesture, to: placeOf(event) }));
    if (gesture.kind === "connect") {
      const target = conceptAt(screenOf(event));
      if (target !== undefined && target !== gesture.from) connect(editor, gesture.from, target);
    }
    setGesture(noGesture);
  }

  function onDoubleClick(event: MouseEvent<HTMLDivElement>) {
    // The capture makes the board the target of every click, so what was meant is looked up by place.
    const hit = hitOf(document.elementFromPoint(event.clientX, event.clientY));
    if (hit.on === "concept") return setGesture({ kind: "edit", id: hit.id });
    if (hit.on !== "board") return;
    const id = addConcept(editor, placeOf(event));
    setSelection([id]);
    setGesture({ kind: "edit", id });
  }

  return { onPointerDown, onPointerMove, onPointerUp, onPointerCancel: () => setGesture(noGesture), onDoubleClick };
}

/** The wheel pans, and zooms while Ctrl is held, which is also what pinching a trackpad looks like. */
function useWheel({ board, setCamera }: BoardModel): void {
  useEffect(() => {
    const element = board.current;
    if (element === null) return;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const rect = element.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) {
        setCamera((camera) => zoomBy(camera, Math.exp(-event.deltaY * 0.01), toCanvas(camera, rect, { x: event.clientX, y: event.clientY })));
      } else {
        setCamera((camera) => pan(camera, -event.deltaX, -event.deltaY));
      }
    };
    // React's own wheel listeners are passive and could not keep the page from zooming.
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [board, setCamera]);
}
