/** What a line of the debug log may show of a frame: never a payload, a state, a token or the session's secret. */
const shown = ["correlationId", "channel", "type", "n", "settled", "retry", "epoch", "seq", "prev", "success", "version", "connection"] as const;
const counted = ["events", "signals", "members", "changes"] as const;

/** A frame as a line: `→ publish channel=canvas:1 n=4`. */
export function describeFrame(direction: "→" | "←", frame: { readonly op: string }): string {
  const fields = new Map(Object.entries(frame));
  const words = [direction, frame.op];
  for (const name of shown) if (fields.has(name)) words.push(`${name}=${String(fields.get(name))}`);
  for (const name of counted) {
    const list: unknown = fields.get(name);
    if (Array.isArray(list)) words.push(`${name}=${list.length}`);
  }
  const error: unknown = fields.get("error");
  if (typeof error === "object" && error !== null && "code" in error) words.push(`error=${String(error.code)}`);
  return words.join(" ");
}
