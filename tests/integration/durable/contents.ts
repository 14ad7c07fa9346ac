import { lmdbBroker } from "@tutti/lmdb";
import type { Position } from "@tutti/protocol";
import type { Broker, LoggedEvent } from "@tutti/server";

export interface Contents {
  readonly epoch: string;
  readonly events: readonly LoggedEvent[];
}

/** What a test publishes. */
export const idOf = ({ payload }: Pick<LoggedEvent, "payload">): string => (payload as { readonly id: string }).id;

/** An event and its place in a line, so that lists of them can be compared. */
export const lineOf = ({ epoch, seq }: Position, id: string): string => `${epoch}:${seq} ${id}`;

export const linesOf = ({ epoch, events }: Contents): readonly string[] => events.map((event) => lineOf({ epoch, seq: event.seq }, idOf(event)));

/** Everything that a log on the disk has of a channel. Nobody else may have it open. */
export async function contentsOf(directory: string, channel: string): Promise<Contents> {
  const broker = await lmdbBroker({ directory });
  try {
    return await readContents(broker, channel);
  } finally {
    await broker.close();
  }
}

/** Everything that a broker has of a channel. */
export async function readContents(broker: Broker, channel: string): Promise<Contents> {
  const { position, floor } = await broker.head(channel);
  const { epoch } = position;
  const events: LoggedEvent[] = [];
  for (let seq = floor; ; ) {
    const page = await broker.read(channel, { epoch, seq }, { countMax: 1_000 });
    if (page.outcome === "gap") throw new Error(`nothing can be read after ${seq}`);
    const last = page.run.events.at(-1);
    if (last === undefined) return { epoch, events };
    events.push(...page.run.events);
    seq = last.seq;
  }
}

/** Where two lists part, in words; `undefined` where they are the same. Lists of many thousands make no readable comparison. */
export function difference(actual: readonly string[], expected: readonly string[]): string | undefined {
  const index = Array.from({ length: Math.max(actual.length, expected.length) }).findIndex((_, at) => actual[at] !== expected[at]);
  if (index === -1) return undefined;
  return `at ${index} of ${actual.length}, expected ${expected.length}: ${actual.slice(index, index + 3).join(", ")} instead of ${expected.slice(index, index + 3).join(", ")}`;
}
