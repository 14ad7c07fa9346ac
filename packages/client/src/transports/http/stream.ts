import type { Transport } from "../../transport.js";
import { httpTransport, type HttpTransportOptions } from "./http-link.js";
import { streamDownlink, type Feed, type RecordName, type StreamEvents } from "./stream-downlink.js";

/** Lines of JSON in one answer that goes on. */
export function streamTransport(options: HttpTransportOptions = {}): Transport {
  return httpTransport({ name: "stream", accept: "application/x-ndjson", query: "", make: (side) => streamDownlink(side, feedLines) }, options);
}

/** A record is an object with its name alone, which the server writes like this; every message begins otherwise. */
const RECORDS: readonly (readonly [RecordName, string])[] = [
  ["open", '{"open":'],
  ["close", '{"close":'],
];

function feedLines({ message, record }: StreamEvents): Feed {
  /** The beginning of a line whose end has not come. */
  let begun: string[] = [];
  const take = (line: string): void => {
    const [name] = RECORDS.find(([, beginning]) => line.startsWith(beginning)) ?? [];
    if (name !== undefined) record(name, (JSON.parse(line) as { readonly [Name in RecordName]?: unknown })[name]);
    else if (line.trim() !== "") message(line);
  };
  return (slice) => {
    const parts = slice.split("\n");
    const last = parts.pop() ?? "";
    for (const part of parts) {
      take(begun.length === 0 ? part : [...begun, part].join(""));
      begun = [];
    }
    if (last !== "") begun.push(last);
  };
}

export type { Fetch, FetchInit, FetchResponse } from "./fetch.js";
export type { HttpTransportOptions } from "./http-link.js";
