import type { RunningServer } from "../peers/peer.js";
import type { Size } from "../scenario.js";
import { Crowd } from "./crowd.js";
import { durationsOf, offer, type Borne } from "./offer.js";
import { openLoop } from "./open-loop.js";
import { joinings } from "./room.js";
import type { Wire } from "./wire.js";

export const pairCount = 20;
const bytes = 100;

/** Where there are two servers, the two of a pair are at different ones. */
const channelOf = (member: number): string => `room:${member >> 1}`;

interface PairsOptions {
  readonly ports: readonly number[];
  readonly wire: Wire;
  readonly server: Pick<RunningServer, "usage">;
  readonly size: Size;
}

/** Rooms of two who publish in turn, so few at a time that what is measured is the way. */
export class Pairs {
  readonly #crowd: Crowd;
  readonly #options: PairsOptions;
  #published = 0;

  private constructor(options: PairsOptions) {
    this.#options = options;
    this.#crowd = new Crowd({ ports: options.ports, wire: options.wire, readsAll: true });
  }

  static async join(options: PairsOptions): Promise<Pairs> {
    const pairs = new Pairs(options);
    await pairs.#crowd.join(joinings(0, 2 * pairCount, (member) => [channelOf(member)]));
    return pairs;
  }

  /** How many publishes there were so far. */
  get published(): number {
    return this.#published;
  }

  /** @param perSecond publishes of all together */
  publish(perSecond: number): Promise<Borne> {
    const { server, size } = this.#options;
    return offer(this.#crowd, server, durationsOf[size], () => {
      const before = this.#published;
      const send = (intendedAt: number): void => {
        const member = this.#published++ % (2 * pairCount);
        this.#crowd.publish(member, channelOf(member), intendedAt, bytes);
      };
      return { stop: openLoop(perSecond, send, { isPrecise: true }), due: () => 2 * (this.#published - before) };
    });
  }

  close(): void {
    this.#crowd.close();
  }
}
