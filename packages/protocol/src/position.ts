/** An event's place: which incarnation of the stream, and where in it. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/**
 * The last position that a client saw, and the id of the event there. The id tells a log that lost its tail and went on, where the same
 * position holds another event.
 */
export interface LastSeen extends Position {
  readonly eventId?: string;
}

export function samePosition(a: Position, b: Position | undefined): boolean {
  return a.seq === b?.seq && a.epoch === b.epoch;
}

/** `epoch-seq`, as it stands in URLs and logs. */
export function formatPosition({ epoch, seq }: Position): string {
  return `${epoch}-${seq}`;
}

/** The position that {@link formatPosition} wrote, or `undefined`. */
export function parsePosition(text: string): Position | undefined {
  const [, epoch, digits] = /^([A-Za-z0-9_-]{1,32})-(0|[1-9]\d{0,15})$/.exec(text) ?? [];
  const seq = Number(digits);
  return epoch !== undefined && Number.isSafeInteger(seq) ? { epoch, seq } : undefined;
}
