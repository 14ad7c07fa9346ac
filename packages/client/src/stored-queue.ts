import { TuttiError } from "@tutti/protocol";
import type { ChannelHost, ClientChannel } from "./channel.js";
import { deferred } from "./deferred.js";
import { measure, type OutboundQueue, type Queued } from "./outbound-queue.js";
import { count } from "./session.js";
import type { StorageChange, StoredPublish } from "./storage.js";

/**
 * Gives a channel's queue what is stored of it, in front, under the numbers that it has. What this client had stored, and is not there any more,
 * was settled by somebody else.
 *
 * @param isSame whether the session is the one that this client had before
 * @param dismiss hears of what cannot be sent as it is stored
 */
export function restoreQueue(
  { name, queue }: ClientChannel,
  stored: readonly StoredPublish[],
  isSame: boolean,
  host: ChannelHost,
  dismiss: (publish: StoredPublish, cause: unknown) => void,
): void {
  const before = queue.entries();
  const restored = (publish: StoredPublish): Queued => {
    const step = publish.attempted ? "ready" : "stored";
    const known = before.find((entry) => isSame && entry.n === publish.n && entry.step !== "new");
    if (known !== undefined) return Object.assign(known, { step, attempted: known.attempted || publish.attempted });
    const { bytes } = measure(host, name, publish, Number.POSITIVE_INFINITY);
    host.weigh(1, bytes);
    return { ...publish, bytes, step, outcome: deferred() };
  };
  const entries = stored.flatMap((publish) => {
    try {
      return [restored(publish)];
    } catch (cause) {
      dismiss(publish, cause);
      return [];
    }
  });
  for (const entry of before) if (entry.step === "new") entries.push(Object.assign(entry, { n: count(host.session, name) }));
  queue.replace(entries, "OUTCOME_UNKNOWN");
}

/**
 * Writes an entry down, and lets the queue go on.
 *
 * @param attempted as one that a server may have, which has to be known after a reload before it is sent
 */
export function storeEntry(
  queue: OutboundQueue,
  entry: Queued,
  attempted: boolean,
  keep: (change: StorageChange, done: (failure?: TuttiError) => void) => void,
): void {
  const { n, type, payload, timestamp, step: before } = entry;
  entry.step = "storing";
  keep({ kind: "put", publish: { channel: queue.channel, n, type, payload, timestamp, attempted } }, (failure) => {
    // Settled, or held anew, meanwhile.
    if (entry.step !== "storing") return;
    if (failure === undefined) entry.step = attempted ? "ready" : "stored";
    else if (before === "new") queue.settle(entry, { kind: "refused", error: isLate(failure) ? new TuttiError("OUTCOME_UNKNOWN", { cause: failure }) : failure });
    else {
      entry.step = before;
      queue.again(n, failure);
    }
    queue.pump();
  });
}

/** It may be stored yet, and sent by a later page. */
function isLate({ cause }: TuttiError): boolean {
  return cause instanceof TuttiError && cause.code === "TIMEOUT";
}
