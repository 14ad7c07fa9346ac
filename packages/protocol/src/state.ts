import type { StateDefinition } from "./contract.js";
import { TuttiError } from "./errors.js";

// oxlint-disable-next-line no-explicit-any -- the contract's own types were checked where it was defined
type AnyState = StateDefinition<any, any>;

/** A state as it was stored or sent, of some version of the contract. */
export interface Snapshot {
  readonly version: number;
  readonly state?: unknown;
}

/** An event as a log or a frame has it; what a reducer sees of it is less. */
export interface Reducible {
  readonly type: string;
  readonly payload?: unknown;
  readonly eventId: string;
  readonly timestamp: number;
  readonly user?: string | undefined;
}

/** The state after `event`: the same on both ends. Throws what `reduce` throws. */
export function reduceEvent({ reduce }: AnyState, state: unknown, { type, payload, eventId, timestamp, user }: Reducible): unknown {
  return reduce(state, { type, payload, eventId, timestamp, ...(user !== undefined && { user }) });
}

/** What stands in a snapshot, in today's shape. @throws TuttiError `VERSION_UNSUPPORTED` where it is newer than the contract, or cannot be migrated */
export function readSnapshot({ version, migrate }: AnyState, snapshot: Snapshot): unknown {
  if (snapshot.version === version) return snapshot.state;
  const versions = `the stored state has version ${snapshot.version}, the contract ${version}`;
  // Starting from nothing would lose what the snapshot stands for, and look like success.
  if (snapshot.version > version) throw new TuttiError("VERSION_UNSUPPORTED", { message: versions });
  if (migrate === undefined) throw new TuttiError("VERSION_UNSUPPORTED", { message: `${versions}, and there is no migrate` });
  try {
    return migrate(snapshot.state, snapshot.version);
  } catch (cause) {
    throw new TuttiError("VERSION_UNSUPPORTED", { message: `${versions}, and it cannot be migrated`, cause });
  }
}
