import type { Position } from "@tutti/protocol";
import type { LoggedEvent } from "@tutti/server";
import type { Landing } from "@tutti/testkit";

/** An event that landed, and the `seq` before it. */
export type Landed = LoggedEvent & { readonly epoch: string };

/**
 * All that ever landed, as the broker's own disk would tell, whatever was trimmed or lost since. It is the truth that the others are held
 * against, so it is written at the append and asks nobody.
 */
export class LogBook {
  readonly #channels = new Map<string, Map<string, Landed[]>>();

  note({ channel, epoch, seq, request }: Landing): void {
    let epochs = this.#channels.get(channel);
    if (epochs === undefined) this.#channels.set(channel, (epochs = new Map()));
    let landed = epochs.get(epoch);
    if (landed === undefined) epochs.set(epoch, (landed = []));
    landed.push({ ...request.event, epoch, seq, prev: landed.at(-1)?.seq ?? 0 });
  }

  /** The events of one incarnation of a channel. */
  events(channel: string, epoch: string): readonly Landed[] {
    return this.#channels.get(channel)?.get(epoch) ?? [];
  }

  /** The events of each incarnation of a channel, the oldest first. */
  epochs(channel: string): readonly (readonly Landed[])[] {
    return [...(this.#channels.get(channel)?.values() ?? [])];
  }

  at(channel: string, { epoch, seq }: Position): Landed | undefined {
    // The simulated log counts by ones; the test of this class holds it to that.
    const landed = this.events(channel, epoch)[seq - 1];
    return landed?.seq === seq ? landed : undefined;
  }
}
