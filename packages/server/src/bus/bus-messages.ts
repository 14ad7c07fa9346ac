import { TuttiError, count, jsonCodec, limits, optional, record, text, type Shape, type ValueOf } from "@tutti/protocol";
import { commandShapes } from "../commands/command-answers.js";
import { presenceDigest, presenceShapes } from "../presence/presence-messages.js";
import { forwardShapes } from "../sessions/forwarding.js";
import { claimShapes } from "../sessions/session-claims.js";
import { signalShapes } from "../signals/signal-messages.js";

/** What nodes tell each other, by `kind`. Fields that are not here are passed over: a newer node may send more. */
const shapes = {
  /** The node lives. */
  "node:heartbeat": record({
    /** Since when the node is there, Unix ms by its own clock. */
    since: count,
    /** Left out where it owns no member. */
    presence: optional(presenceDigest),
  }),
  /** The node stops. */
  "node:goodbye": record({}),
  /** The node that hears this was taken for dead in the incarnation that is named. */
  "node:dead": record({ incarnation: count }),
  ...presenceShapes,
  ...claimShapes,
  ...forwardShapes,
  ...commandShapes,
  ...signalShapes,
} satisfies Readonly<Record<string, Shape<object>>>;

type Shapes = typeof shapes;
export type BusMessage = { [Kind in keyof Shapes]: { readonly kind: Kind } & ValueOf<Shapes[Kind]> }[keyof Shapes];
export type BusMessageOf<Kind extends BusMessage["kind"]> = Extract<BusMessage, { kind: Kind }>;

/** Who told something: a node, in one of its lives. */
export interface Sender {
  readonly node: string;
  /** Rises each time that the node comes back after it was taken for dead. */
  readonly incarnation: number;
}

export interface Told {
  readonly sender: Sender;
  readonly message: BusMessage;
}

const byKind = new Map<unknown, Shape<object>>(Object.entries(shapes));
const envelope = record({ node: text(64, 1), incarnation: count, message: record({ kind: text(64) }) });

/** How the messages of a node begin, so that its own are told from the others' without being read. */
export function beginningOf(node: string): string {
  return `{"node":${JSON.stringify(node)},`;
}

/** @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP` for what an application made and JSON cannot carry */
export function encodeTold({ sender: { node, incarnation }, message }: Told): string {
  // In this order: the node stands in front.
  return jsonCodec.encode([{ node, incarnation, message }], limits.serverDepthMax);
}

/** What came over the bus, whoever sent it. @throws TuttiError what is wrong with it */
export function readTold(received: string): Told {
  const [value, ...more] = jsonCodec.decode(received, limits.serverDepthMax);
  if (more.length > 0) throw new TuttiError("MESSAGE_MALFORMED", { message: "more than one message" });
  const { node, incarnation, message: head } = envelope.read(value, "");
  const { kind } = head;
  const shape = byKind.get(kind);
  if (shape === undefined) throw new TuttiError("FRAME_UNKNOWN", { message: `no message between nodes is called "${kind}"`, field: "message.kind" });
  // The envelope has been read, so there is an object with a message.
  const message = { ...shape.read((value as { readonly message: unknown }).message, "message"), kind } as BusMessage;
  return { sender: { node, incarnation }, message };
}
