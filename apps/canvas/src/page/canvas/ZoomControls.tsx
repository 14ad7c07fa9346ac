import { Icon } from "../shared/Icon.js";
import { cameraOver, zoomBy } from "./camera.js";
import type { BoardModel } from "./useGestures.js";

const zoomStep = 1.25;

export function ZoomControls({ model }: { readonly model: BoardModel }) {
  const { board, editor, camera, setCamera } = model;

  function showAll() {
    const rect = board.current?.getBoundingClientRect();
    if (rect !== undefined) setCamera(() => cameraOver(editor.channel.state.getSnapshot().concepts, rect));
  }

  return (
    <div className="zoom" role="toolbar" aria-label="Zoom">
      <button type="button" className="icon-button" aria-label="Zoom out" onClick={() => setCamera((before) => zoomBy(before, 1 / zoomStep))}>
        <Icon name="minus" />
      </button>
      <button type="button" className="zoom-level" aria-label="Actual size" onClick={() => setCamera((before) => ({ ...before, zoom: 1 }))}>
        {Math.round(camera.zoom * 100)}%
      </button>
      <button type="button" className="icon-button" aria-label="Zoom in" onClick={() => setCamera((before) => zoomBy(before, zoomStep))}>
        <Icon name="plus" />
      </button>
      <button type="button" className="icon-button" aria-label="Show everything" onClick={showAll}>
        <Icon name="fit" />
      </button>
    </div>
  );
}
