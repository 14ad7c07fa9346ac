/** What a line of the debug log may show of a frame, at any depth: never a payload, a state, a token or the session's secret. */
const shown = ["op", "correlationId", "channel", "type", "n", "settled", "retry", "epoch", "seq", "prev", "error", "code", "events", "signals"];

/** A frame as a line: `→ {"op":"publish","channel":"canvas:1","n":4}`. */
export function describeFrame(direction: "→" | "←", frame: object): string {
  return `${direction} ${JSON.stringify(frame, shown)}`;
}
