import type { Codec } from "@tutti/protocol";
import type { LoggedEvent } from "./broker.js";
import { eventsFrame } from "./events-frame.js";
import { Packet } from "./packet.js";

const BYTES_MAX = 1024 * 1024;

interface Kept {
  readonly codec: Codec;
  readonly epoch: string;
  readonly first: LoggedEvent | undefined;
  readonly last: LoggedEvent | undefined;
  readonly packet: Packet;
}

/**
 * What several replay of one channel at the same time. After a node has died, thousands ask for the same events, after the same position, in the same
 * pieces: these are encoded for the first of them.
 */
export class SharedReplays {
  readonly #channel: string;
  /** The oldest first. */
  #kept: Kept[] = [];
  #bytes = 0;

  constructor(channel: string) {
    this.#channel = channel;
  }

  /** The packet with these events, which follow each other. @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP` */
  packetOf(codec: Codec, epoch: string, events: readonly LoggedEvent[]): Packet {
    const first = events[0];
    const last = events.at(-1);
    const kept = this.#kept.find((each) => each.codec === codec && each.epoch === epoch && isSame(each.first, first) && isSame(each.last, last));
    if (kept !== undefined) return kept.packet;
    const packet = Packet.of(codec, [eventsFrame(this.#channel, epoch, events)]);
    this.#keep({ codec, epoch, first, last, packet });
    return packet;
  }

  #keep(kept: Kept): void {
    this.#kept.push(kept);
    this.#bytes += kept.packet.bytes;
    while (this.#bytes > BYTES_MAX) this.#bytes -= this.#kept.shift()?.packet.bytes ?? this.#bytes;
  }
}

/** By the id, too: a log that lost its tail may have gone on with another event there. */
const isSame = (one: LoggedEvent | undefined, other: LoggedEvent | undefined): boolean => one?.seq === other?.seq && one?.eventId === other?.eventId;
