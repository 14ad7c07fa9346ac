import { list, optional, record, wireSignal, type Shape, type WireSignal } from "@tutti/protocol";
import { jsonLength } from "../json-length.js";
import { signalTargetShape, type SignalTarget } from "../target.js";

/** A signal, and for whom alone it is; without that for all. */
export interface AddressedSignal {
  readonly signal: WireSignal;
  readonly to?: SignalTarget;
}

const COUNT_MAX = 1_024;
const BYTES_MAX = 256 * 1024;
/** About what a signal takes beside its payload. */
const ENVELOPE_BYTES = 128;

const addressed: Shape<AddressedSignal> = record({ signal: wireSignal, to: optional(signalTargetShape) });

/** What nodes tell each other of signals. */
export const signalShapes = {
  /** To the nodes that have the channel open: what left it in one turn, of those who are at the node that tells. */
  "signals:left": record({ signals: list(addressed, COUNT_MAX) }),
};

/** Signals that are told together, and about how many bytes they take. */
export interface SignalMessage {
  readonly signals: AddressedSignal[];
  bytes: number;
}

/** The signals in as many messages as their bounds ask for; those that are too large for any are left out. */
export function inMessages(signals: readonly AddressedSignal[]): readonly SignalMessage[] {
  const messages: SignalMessage[] = [];
  let message: SignalMessage | undefined;
  for (const each of signals) {
    const length = ENVELOPE_BYTES + jsonLength(each.signal.payload);
    if (length > BYTES_MAX) continue;
    if (message === undefined || message.signals.length >= COUNT_MAX || message.bytes + length > BYTES_MAX) {
      messages.push((message = { signals: [], bytes: 0 }));
    }
    message.signals.push(each);
    message.bytes += length;
  }
  return messages;
}
