import { palette } from "../../palette.js";
import { Icon } from "../shared/Icon.js";
import { addConcept, deleteAll, recolour, tidy } from "./actions.js";
import { UndoButtons } from "./UndoButtons.js";
import type { BoardModel } from "./useGestures.js";

/** What can be done just now: with the selection, or with the canvas where nothing is selected. */
export function Dock({ model }: { readonly model: BoardModel }) {
  const { editor, selection, gesture } = model;
  if (gesture.kind === "connect") {
    return (
      <div className="dock" role="toolbar" aria-label="Arrow">
        <span className="dock-text">Choose the concept that the arrow leads to. Escape to stop.</span>
      </div>
    );
  }
  return (
    <div className="dock" role="toolbar" aria-label={selection.length === 0 ? "Canvas" : "Selection"}>
      <UndoButtons history={editor.history} />
      {selection.length === 0 ? <CanvasTools model={model} /> : <SelectionTools model={model} />}
    </div>
  );
}

function CanvasTools({ model }: { readonly model: BoardModel }) {
  const { editor, camera, setSelection, setGesture } = model;

  function add() {
    const id = addConcept(editor, camera);
    setSelection([id]);
    setGesture({ kind: "edit", id });
  }

  return (
    <>
      <button type="button" className="dock-button" onClick={add}>
        <Icon name="plus" />
        Add concept
      </button>
      <button type="button" className="dock-button" onClick={() => void tidy(editor.channel)}>
        <Icon name="tidy" />
        Tidy up
      </button>
    </>
  );
}

function SelectionTools({ model }: { readonly model: BoardModel }) {
  const { board, editor, camera, selection, setSelection, setGesture } = model;
  const chosen = editor.channel.state.getSnapshot().concepts.filter(({ id }) => selection.includes(id));
  const [only] = chosen.length === 1 ? chosen : [];

  function startArrow(from: string) {
    setGesture({ kind: "connect", from, to: camera });
    // The button goes away with the selection's tools, and the keys with it.
    board.current?.focus();
  }

  function deleteSelection() {
    deleteAll(editor, selection);
    setSelection([]);
    board.current?.focus();
  }

  return (
    <>
      {chosen.length > 0 && (
        <div className="dock-swatches" role="group" aria-label="Colour">
          {palette.map((colour) => (
            <button
              key={colour}
              type="button"
              className="swatch"
              data-colour={colour}
              aria-label={colour}
              aria-pressed={chosen.every((concept) => concept.colour === colour)}
              onClick={() => recolour(editor, chosen.map(({ id }) => id), colour)}
            />
          ))}
        </div>
      )}
      {only && (
        <>
          <button type="button" className="dock-button" onClick={() => setGesture({ kind: "edit", id: only.id })}>
            <Icon name="pencil" />
            Rename
          </button>
          <button type="button" className="dock-button" onClick={() => startArrow(only.id)}>
            <Icon name="connect" />
            Connect
          </button>
        </>
      )}
      <button type="button" className="dock-button" onClick={deleteSelection}>
        <Icon name="trash" />
        Delete
      </button>
    </>
  );
}
