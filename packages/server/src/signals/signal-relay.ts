import type { Cancel, Environment, WireSignal } from "@tutti/protocol";
import type { BusMessage } from "../bus/bus-messages.js";
import type { Bus } from "../bus/bus.js";
import type { Nodes } from "../bus/nodes.js";
import type { Turn } from "../connections/turn.js";
import type { Log } from "../log.js";
import type { SignalTarget } from "../target.js";
import { inMessages, type AddressedSignal } from "./signal-messages.js";

const RETRY_MS = 1_000;
const CHANNELS_A_TURN = 256;
/** What the broker has not taken yet may be so much, of all channels together; signals beyond are dropped. */
const BYTES_UNDER_WAY_MAX = 4 * 1024 * 1024;

/** Who wants to have a channel's signals. */
interface Hearer {
  putTold(signal: WireSignal, to?: SignalTarget): void;
}

interface RelayParts {
  readonly environment: Environment;
  readonly bus: Bus;
  readonly nodes: Pick<Nodes, "watch">;
  readonly turn: Pick<Turn, "next">;
  readonly log: Log;
}

/** A channel that is open here. */
interface Ear {
  readonly hearer: Hearer;
  /** While other nodes live; resolves to what ends it, or to nothing where it came to nothing. Never rejects. */
  hearing: Promise<(() => Promise<void>) | undefined> | undefined;
}

/**
 * Carries signals between the nodes that have a channel open. Nothing is told, and nothing listened to, while no other node is known to live; what is
 * lost on the way is as lost as any signal may be.
 */
export class SignalRelay {
  readonly #parts: RelayParts;
  readonly #ears = new Map<string, Ear>();
  #cancelRetry: Cancel | undefined;
  /** What was told and is not known to have left. */
  #bytesUnderWay = 0;

  constructor(parts: RelayParts) {
    this.#parts = parts;
    parts.nodes.watch(() => void this.#hearWhereNeeded());
  }

  /** From now on the channel gets what other nodes tell of it. What is returned ends that. */
  open(channel: string, hearer: Hearer): () => void {
    const ear: Ear = { hearer, hearing: undefined };
    this.#ears.set(channel, ear);
    this.#hearIfNeeded(channel, ear);
    return () => {
      if (this.#ears.get(channel) === ear) this.#ears.delete(channel);
      this.#end(channel, ear);
    };
  }

  /** Tells the nodes that have the channel open; nobody waits for it. */
  tell(channel: string, signals: readonly AddressedSignal[]): void {
    const { bus } = this.#parts;
    if (bus.isAlone) return;
    for (const { signals: together, bytes } of inMessages(signals)) {
      // The broker is slower than they come: those that come later are newer, and have their chance.
      if (this.#bytesUnderWay + bytes > BYTES_UNDER_WAY_MAX) continue;
      this.#bytesUnderWay += bytes;
      void bus.told(`channel:${channel}`, { kind: "signals:left", signals: together }).then(() => {
        this.#bytesUnderWay -= bytes;
      });
    }
  }

  close(): void {
    this.#cancelRetry?.();
    for (const [channel, ear] of this.#ears) this.#end(channel, ear);
    this.#ears.clear();
  }

  /** Other nodes came, or went. A hundred thousand channels may be open, so it is done in several turns. */
  async #hearWhereNeeded(): Promise<void> {
    let count = 0;
    for (const [channel, ear] of this.#ears) {
      this.#hearIfNeeded(channel, ear);
      if (++count % CHANNELS_A_TURN === 0) await this.#parts.turn.next();
    }
  }

  #hearIfNeeded(channel: string, ear: Ear): void {
    if (this.#parts.bus.isAlone) this.#end(channel, ear);
    else if (ear.hearing === undefined) this.#hear(channel, ear);
  }

  #hear(channel: string, ear: Ear): void {
    const hearing = this.#parts.bus
      .hear(`channel:${channel}`, (message) => hand(message, ear.hearer))
      .catch((error: unknown) => {
        if (ear.hearing === hearing) ear.hearing = undefined;
        this.#retry(channel, error);
        return undefined;
      });
    ear.hearing = hearing;
  }

  #retry(channel: string, error: unknown): void {
    const { environment, log } = this.#parts;
    log.warn("the signals of other nodes cannot be heard, trying again", { channel, error });
    this.#cancelRetry ??= environment.after(RETRY_MS, () => {
      this.#cancelRetry = undefined;
      void this.#hearWhereNeeded();
    });
  }

  #end(channel: string, ear: Ear): void {
    const { hearing } = ear;
    ear.hearing = undefined;
    void hearing
      ?.then((end) => end?.())
      .catch((error: unknown) => this.#parts.log.warn("no longer hearing the signals of other nodes failed", { channel, error }));
  }
}

function hand(message: BusMessage, hearer: Hearer): void {
  if (message.kind !== "signals:left") return;
  for (const { signal, to } of message.signals) hearer.putTold(signal, to);
}
