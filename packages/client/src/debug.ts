/** What a line of the debug log may show of a frame: never a payload, a state, a token or the session's secret. Lists show their length. */
const shown = new Set(["op", "correlationId", "channel", "type", "n", "settled", "retry", "epoch", "seq", "prev", "success", "error", "code"]);

/** A frame as a line: `→ {"op":"publish","channel":"canvas:1","n":4}`. */
export function describeFrame(direction: "→" | "←", frame: object): string {
  return `${direction} ${JSON.stringify(frame, (key, value: unknown) => (key === "" || shown.has(key) ? value : Array.isArray(value) ? value.length : undefined))}`;
}
