import { TuttiError } from "./errors.js";
import type { Shape, ValueOf } from "./shape.js";

type Shapes = Readonly<Record<string, Shape<object>>>;

/** The union of the frames that `shapes` describes, told apart by `op`. */
export type FrameOf<S extends Shapes> = { [Op in keyof S & string]: { readonly op: Op } & ValueOf<S[Op]> }[keyof S & string];

/** A function that reads one frame of these shapes. */
export function frameReader<const S extends Shapes>(shapes: S): (value: unknown) => FrameOf<S> {
  const byOp = new Map<unknown, Shape<object>>(Object.entries(shapes));
  return (value) => {
    const op = typeof value === "object" && value !== null ? (value as { op?: unknown }).op : undefined;
    if (typeof op !== "string") throw new TuttiError("FRAME_INVALID", { message: "a frame is an object with an op", field: "op" });
    const shape = byOp.get(op);
    if (shape === undefined) throw new TuttiError("FRAME_UNKNOWN", { message: `no frame is called "${op.slice(0, 40)}"`, field: "op" });
    const frame = shape.read(value, "") as { op?: string };
    frame.op = op;
    return frame as FrameOf<S>;
  };
}

/** The correlation id in something that may not be a frame, so that even a bad request is answered. */
export function correlationIdOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { correlationId } = value as { correlationId?: unknown };
  return typeof correlationId === "string" && correlationId.length <= 64 ? correlationId : undefined;
}
