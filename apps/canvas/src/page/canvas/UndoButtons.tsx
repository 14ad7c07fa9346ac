import { Icon } from "../shared/Icon.js";
import { useStore } from "../shared/store.js";
import { redo, undo } from "./actions.js";
import type { CanvasHistory } from "./editor.js";
import { undoShortcut } from "./undo-keys.js";

export function UndoButtons({ history }: { readonly history: CanvasHistory }) {
  const { canUndo, canRedo } = useStore(history);
  return (
    <div className="dock-group" role="group" aria-label="Your changes">
      <button type="button" className="icon-button" aria-label="Undo" title={`Undo (${undoShortcut.undo})`} disabled={!canUndo} onClick={() => undo(history)}>
        <Icon name="undo" />
      </button>
      <button type="button" className="icon-button" aria-label="Redo" title={`Redo (${undoShortcut.redo})`} disabled={!canRedo} onClick={() => redo(history)}>
        <Icon name="redo" />
      </button>
    </div>
  );
}
