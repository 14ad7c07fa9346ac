import type { Codec } from "@tutti/protocol";
import type { LoggedEvent } from "../broker/broker.js";
import { Packet } from "../connections/packet.js";
import { eventsFrame } from "./events-frame.js";

const BYTES_MAX = 1024 * 1024;

/**
 * What several replay of one channel at the same time. After a node has died, thousands ask for the same events, after the same position, in the same
 * pieces: these are encoded for the first of them.
 */
export class SharedReplays {
  readonly #channel: string;
  /** By what is in them, the oldest first. */
  readonly #kept = new Map<string, Packet>();
  #bytes = 0;

  constructor(channel: string) {
    this.#channel = channel;
  }

  /** The packet with these events, which follow each other. @throws TuttiError `PAYLOAD_INVALID`, `MESSAGE_TOO_DEEP` */
  packetOf(codec: Codec, epoch: string, events: readonly LoggedEvent[]): Packet {
    const key = keyOf(codec, epoch, events);
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const packet = Packet.of(codec, [eventsFrame(this.#channel, epoch, events)]);
    this.#keep(key, packet);
    return packet;
  }

  #keep(key: string, packet: Packet): void {
    this.#kept.set(key, packet);
    this.#bytes += packet.bytes;
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#bytes <= BYTES_MAX) break;
      this.#kept.delete(oldest);
      this.#bytes -= bytes;
    }
  }
}

/** Events that follow each other are told by the first and the last; by the id too: a log that lost its tail may have gone on with another event. */
function keyOf({ name }: Codec, epoch: string, events: readonly LoggedEvent[]): string {
  const [first, last] = [events[0], events.at(-1)];
  return `${name} ${epoch} ${first?.seq} ${first?.eventId} ${last?.seq} ${last?.eventId}`;
}
