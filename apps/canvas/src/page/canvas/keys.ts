import type { KeyboardEvent } from "react";
import { connect, deleteAll, moveConcepts } from "./actions.js";
import type { Point } from "./camera.js";
import { hitOf, noGesture, type Hit } from "./gesture.js";
import { placesOf, type BoardModel } from "./useGestures.js";

const nudge = 10;

const nudges: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -nudge, y: 0 },
  ArrowRight: { x: nudge, y: 0 },
  ArrowUp: { x: 0, y: -nudge },
  ArrowDown: { x: 0, y: nudge },
};

/** What the keys do on the board and its tools: Escape, Enter, Delete and the arrows. */
export function onBoardKey(model: BoardModel, event: KeyboardEvent): void {
  const { board, editor, selection, setSelection } = model;
  const hit = hitOf(event.target);
  if (event.key === "Escape") return escape(model);
  if (hit.on === "control") return;

  // Without a selection, the keys are for what has the focus.
  const ids = selection.length > 0 || hit.on === "board" ? selection : [hit.id];
  const by = nudges[event.key];
  if (event.key === "Delete" || event.key === "Backspace") {
    deleteAll(editor, ids);
    setSelection([]);
    board.current?.focus();
  } else if (event.key === "Enter" && hit.on !== "board") {
    // Else the line break would be typed into the editor that opens.
    event.preventDefault();
    choose(model, hit);
  } else if (by !== undefined && ids.length > 0) {
    event.preventDefault();
    moveConcepts(editor, new Map([...placesOf(editor.channel, ids)].map(([id, { x, y }]) => [id, { x: x + by.x, y: y + by.y }])));
  }
}

/** Ends what is being done; where nothing is, the selection. */
function escape({ editor, gesture, setGesture, setSelection }: BoardModel): void {
  if (gesture.kind === "none") return setSelection([]);
  // The others saw the drag, and see now that it came to nothing.
  if (gesture.kind === "drag") editor.channel.signal("concept:drag", { concepts: [...gesture.places].map(([id, { x, y }]) => ({ id, x, y })) });
  setGesture(noGesture);
}

/** Enter on a concept ends an arrow there or edits the text; on an arrow it selects it. */
function choose({ editor, gesture, setGesture, setSelection }: BoardModel, hit: Extract<Hit, { readonly id: string }>): void {
  setSelection([hit.id]);
  if (hit.on === "arrow") return;
  if (gesture.kind !== "connect") return setGesture({ kind: "edit", id: hit.id });
  if (gesture.from !== hit.id) connect(editor, gesture.from, hit.id);
  setGesture(noGesture);
}
