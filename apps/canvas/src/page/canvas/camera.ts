/** A place on the canvas, or on the screen; each function says which. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What is looked at: the place on the canvas that is in the middle of the board, and how large it is drawn. */
export interface Camera extends Point {
  readonly zoom: number;
}

const zoomMin = 0.2;
const zoomMax = 2.5;
/** How far from the middle of the canvas one may look; the contract allows concepts a little further out. */
const farthest = 50_000;
/** Room around the concepts when all of them are shown, in pixels of the screen. */
const marginPx = 90;

export const startCamera: Camera = { x: 0, y: 0, zoom: 1 };

/** The place on the canvas under a place on the screen. */
export function toCanvas(camera: Camera, board: DOMRect, screen: Point): Point {
  return {
    x: camera.x + (screen.x - board.left - board.width / 2) / camera.zoom,
    y: camera.y + (screen.y - board.top - board.height / 2) / camera.zoom,
  };
}

function within({ x, y, zoom }: Camera): Camera {
  return { x: Math.min(farthest, Math.max(-farthest, x)), y: Math.min(farthest, Math.max(-farthest, y)), zoom };
}

/** The camera after its canvas was pushed by so many pixels of the screen. */
export function pan(camera: Camera, dx: number, dy: number): Camera {
  return within({ ...camera, x: camera.x - dx / camera.zoom, y: camera.y - dy / camera.zoom });
}

/** Zooms so that `fixed`, a place on the canvas, stays where it is on the screen. */
export function zoomBy(camera: Camera, factor: number, fixed: Point = camera): Camera {
  const zoom = Math.min(zoomMax, Math.max(zoomMin, camera.zoom * factor));
  const rest = camera.zoom / zoom;
  return within({ x: fixed.x + (camera.x - fixed.x) * rest, y: fixed.y + (camera.y - fixed.y) * rest, zoom });
}

/** The camera that shows all of `points`, never larger than life. */
export function cameraOver(points: readonly Point[], board: Size): Camera {
  if (points.length === 0) return startCamera;
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const zoomX = (board.width - 2 * marginPx) / Math.max(1, right - left);
  const zoomY = (board.height - 2 * marginPx) / Math.max(1, bottom - top);
  return { x: (left + right) / 2, y: (top + bottom) / 2, zoom: Math.max(zoomMin, Math.min(1, zoomX, zoomY)) };
}
