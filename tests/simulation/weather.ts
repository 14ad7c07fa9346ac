import { jsonCodec, limits, type Codec, type Encoded } from "@tutti/protocol";
import { msgpackCodec } from "@tutti/protocol/msgpack";
import { RandomStream, calmStorage, type BrokerFaults, type ClockSkew, type LinkConditions, type MessageFate, type StorageConditions } from "@tutti/testkit";
import type { FaultName } from "./faults.js";
import { linkNames, type LinkName } from "./links.js";

const DAY_MS = 86_400_000;

/** How servers deliver: small numbers, for as few as there are to meet their ends. */
export interface Delivery {
  readonly deliverySliceWritesMax: number;
  readonly fanOutsMax: number;
  readonly signalFlushMs: number;
  /** How long a turn of the event loop takes at most. */
  readonly turnMsMax: number;
}

/** What holds for the whole of a run: how slow, how lossy, how wrong things are. Each fault draws from a stream of its own. */
export class Weather {
  readonly #seed: number;
  readonly #faults: ReadonlySet<FaultName>;

  constructor(seed: number, faults: ReadonlySet<FaultName>) {
    this.#seed = seed;
    this.#faults = faults;
  }

  /** A number of this fault, or what holds without it. */
  #under(name: FaultName, low: number, high: number, otherwise: number): number {
    return this.#faults.has(name) ? new RandomStream(this.#seed, `how ${name}`).between(low, high) : otherwise;
  }

  links(): LinkConditions {
    const calmMs = new RandomStream(this.#seed, "how fast").between(2, 60);
    const slowMs = this.#under("slow-network", 100, 1_500, 0);
    return { delayMs: slowMs > 0 ? [5, slowMs] : [0.5, calmMs], bytesPerMs: this.#under("narrow-network", 4, 20, Infinity) };
  }

  clocksOf(process: string): ClockSkew {
    if (!this.#faults.has("wrong-clocks")) return {};
    const random = new RandomStream(this.#seed, `clocks of ${process}`);
    return { wallOffsetMs: random.between(-DAY_MS, DAY_MS), rate: random.between(0.99, 1.01) };
  }

  /** What a page speaks. */
  codecOf(page: string): Codec {
    return new RandomStream(this.#seed, `codec of ${page}`).chance(0.25) ? msgpackCodec : jsonCodec;
  }

  /** What a page connects by: some by HTTP, with each request at whichever node it finds. */
  linkOf(page: string): LinkName {
    const random = new RandomStream(this.#seed, `link of ${page}`);
    return random.chance(0.6) ? "websocket" : random.pick(linkNames);
  }

  /** How long a token lives, where it ever expires. */
  tokenLifeMs(): number | undefined {
    const lifeMs = this.#under("tokens-expire", 3_000, 20_000, Infinity);
    return Number.isFinite(lifeMs) ? lifeMs : undefined;
  }

  /** A node that forgets to send, or sends twice or late: the client finds out by positions, and by its own patience. */
  fates(): (message: Encoded, random: RandomStream) => MessageFate {
    const events = { twice: this.#under("frames-repeated", 0.05, 0.5, 0), lost: this.#under("frames-lost", 0.02, 0.3, 0), late: 0 };
    const replies = { twice: this.#under("replies-repeated", 0.05, 0.5, 0), lost: this.#under("replies-lost", 0.02, 0.2, 0), late: 0 };
    const acks = { ...replies, late: this.#under("acks-late", 0.1, 0.6, 0) };
    return (encoded, random) => {
      const message = textOf(encoded);
      const { twice, lost, late } = isOf("events", message) ? events : !isOf("reply", message) ? calm : isAck(message) ? acks : replies;
      if (twice + lost + late === 0) return "arrives";
      const draw = random.next();
      if (draw < lost) return "is lost";
      if (draw < lost + twice) return "arrives twice";
      return draw < lost + twice + late ? "arrives late" : "arrives";
    };
  }

  /** Slices and what waits for them, in every run; they matter where turns take their time. */
  delivery(): Delivery {
    const random = new RandomStream(this.#seed, "delivery");
    return {
      deliverySliceWritesMax: random.pick([1, 1, 1, 2, 4_096]),
      fanOutsMax: random.pick([1, 1, 2, 4]),
      signalFlushMs: random.pick([0, 0, 30]),
      turnMsMax: this.#under("server-busy", 20, 400, 0),
    };
  }

  disk(): readonly [low: number, high: number] {
    return [0.1, this.#under("disk-slow", 20, 400, 3)];
  }

  storage(): StorageConditions {
    return { ...calmStorage, delayMs: [0.1, this.#under("slow-storage", 20, 600, 3)] };
  }

  broker(): BrokerFaults {
    const slowMs = this.#under("broker-slow", 20, 600, 0);
    return {
      delayMs: slowMs > 0 ? [0.5, slowMs] : [0.1, 3],
      refused: this.#under("broker-refuses", 0.02, 0.3, 0),
      answerLost: this.#under("broker-answers-lost", 0.02, 0.3, 0),
      hangs: this.#under("broker-hangs", 0.01, 0.08, 0),
      hangMs: new RandomStream(this.#seed, "how long a broker hangs").between(500, 8_000),
      deliveryLost: this.#under("deliveries-lost", 0.03, 0.5, 0),
      deliveryRepeated: this.#under("deliveries-repeated", 0.03, 0.4, 0),
      broadcastLost: this.#under("broadcasts-lost", 0.03, 0.4, 0),
      broadcastRepeated: this.#under("broadcasts-repeated", 0.03, 0.4, 0),
      broadcastLate: this.#under("broadcasts-late", 0.03, 0.4, 0),
    };
  }
}

const calm = { twice: 0, lost: 0, late: 0 };

/** The message as the other codec writes it. */
function textOf(message: Encoded): string {
  if (typeof message === "string") return message;
  return jsonCodec.encode(msgpackCodec.decode(message, limits.serverDepthMax) as readonly object[], limits.serverDepthMax);
}

function isOf(op: string, message: string): boolean {
  return message.startsWith(`{"op":"${op}"`);
}

/** Whether a reply says where a publish landed: the event stands beside its position, and in the start of a subscription within. */
function isAck(message: string): boolean {
  return message.includes('},"eventId"');
}
