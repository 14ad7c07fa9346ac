/** An event as a browser's `EventSource` would dispatch it. */
export interface SseEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
  /** The last event id when it was dispatched. */
  readonly id: string;
}

/** Reads a stream of server-sent events as the HTML standard says (9.2.6): what a browser does, written down. */
export function readSse(text: string): readonly SseEvent[] {
  const events: SseEvent[] = [];
  let [event, data, id] = ["", "", ""];
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
  // What follows the last line's end is no line yet.
  for (const line of lines.slice(0, -1)) {
    if (line === "") {
      if (data !== "") events.push({ event: event === "" ? "message" : event, data: data.slice(0, -1), id });
      [event, data] = ["", ""];
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event = value;
    else if (field === "data") data += `${value}\n`;
    else if (field === "id" && !value.includes("\0")) id = value;
  }
  return events;
}

/** The last `retry` of a stream. */
export function retryOf(text: string): number | undefined {
  const [, digits] = [...text.matchAll(/^retry: (\d+)$/gm)].at(-1) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
