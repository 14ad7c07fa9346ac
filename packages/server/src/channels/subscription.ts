import type { Codec, LastSeen, Position, SubscriptionStart, TuttiError } from "@tutti/protocol";
import type { Outbox } from "../connections/outbox.js";
import { Packet, type SharedPacket } from "../connections/packet.js";
import { tuttiError } from "../errors.js";
import type { Services } from "../services.js";
import type { Channel } from "./channel.js";
import { Replay, startAtHead, type StartFrom } from "./replay.js";

/** What a subscription needs of its connection. */
export interface Subscriber {
  readonly codec: Codec;
  readonly outbox: Outbox;
  /** Queues a packet, which leaves when those who waited before have had theirs; ends the connection, and with it the subscription, where it does not fit. */
  push(packet: Packet): void;
  /** Ends the subscription to a channel, and tells the client why. */
  evict(channel: string, error: TuttiError): void;
}

/** One connection's subscription to one channel: it is brought up to date, is live, and ends. */
export class Subscription {
  readonly channel: Channel;
  readonly #services: Services;
  readonly #subscriber: Subscriber;
  /** Until it is live. */
  #replay: Replay | undefined;
  #isEnded = false;
  /** A change of presence was not sent because the connection was slow: the whole list follows when it is not. */
  #owesPresence = false;

  constructor(services: Services, channel: Channel, subscriber: Subscriber) {
    this.#services = services;
    this.channel = channel;
    this.#subscriber = subscriber;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Finds where the subscription starts. When it resolves, send the start and call {@link run}, both at once. Rejects as the broker does, or with
   * `REWIND_UNSUPPORTED` where the channel has state.
   */
  async start(from: StartFrom): Promise<SubscriptionStart> {
    this.channel.beginReplay();
    this.#replay = new Replay(this.#services, this, this.#subscriber);
    try {
      return await this.#replay.start(from);
    } catch (error) {
      this.channel.endReplay();
      this.end();
      throw error;
    }
  }

  /** Sends what was missed, then goes live. Never rejects: what cannot be sent ends the subscription. */
  async run(): Promise<void> {
    try {
      await this.#replay?.run();
    } catch (error) {
      this.#abort(error);
    } finally {
      this.#replay = undefined;
      this.channel.endReplay();
    }
  }

  /** Asks the log what comes after `last`, which the subscription has seen, and its node has not heard of or has heard otherwise. */
  lookAgain(last: LastSeen): void {
    this.channel.beginReplay();
    this.#replay = new Replay(this.#services, this, this.#subscriber);
    this.#replay.resume(last);
    void this.run();
  }

  /** Sends what all live subscriptions get. */
  deliver(packet: SharedPacket): void {
    this.#subscriber.push(packet.for(this.#subscriber.codec));
  }

  /** Sends what a slow connection can do without. */
  deliverDroppable(packet: SharedPacket): void {
    if (!this.#subscriber.outbox.isSlow) this.deliver(packet);
  }

  /** Sends a change of presence; to a slow connection the whole list, later. */
  deliverPresence(changes: SharedPacket): void {
    if (this.#owesPresence) return;
    if (this.#subscriber.outbox.isSlow) void this.#deliverListLater();
    else this.deliver(changes);
  }

  /** The channel lost events and goes on elsewhere. */
  restart(gap: { readonly from: Position; readonly to: Position }): void {
    try {
      const frame = { op: "gap", channel: this.channel.name, start: { ...startAtHead(this.channel), gap } };
      this.#subscriber.push(Packet.of(this.#subscriber.codec, [frame]));
    } catch (error) {
      this.#abort(error);
    }
  }

  /** Ends it with an error that the client is told. */
  fail(error: TuttiError): void {
    this.#subscriber.evict(this.channel.name, error);
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.channel.remove(this);
    this.#replay?.stop();
  }

  #abort(cause: unknown): void {
    const unsendable = new Error("what the subscription is to be sent cannot be encoded", { cause });
    this.fail(tuttiError(unsendable, this.#services.log, { channel: this.channel.name }));
  }

  async #deliverListLater(): Promise<void> {
    const { outbox } = this.#subscriber;
    this.#owesPresence = true;
    const { lease } = this.#services;
    while (!this.#isEnded && (outbox.isPressed || lease.isOver)) await (outbox.isPressed ? outbox.roomy() : lease.renewal());
    this.#owesPresence = false;
    if (!this.#isEnded) this.deliver(this.channel.presence.list());
  }
}
