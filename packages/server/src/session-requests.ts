import { TuttiError, type ClientFrame, type ClientFrameOf, type ServerFrame } from "@tutti/protocol";
import { tuttiError } from "./errors.js";
import type { Caller } from "./handlers.js";
import type { NodeState } from "./node-state.js";
import { answerCall, type ChannelPolicy } from "./policy.js";
import { Publisher } from "./publisher.js";
import type { Subscriber } from "./subscription.js";
import { Subscriptions } from "./subscriptions.js";

type Request = Exclude<ClientFrame, { op: "hello" | "ping" | "bye" | "refresh" }>;
type Answered = Extract<Request, { correlationId: string }>;

/** What requests need of their connection. */
export interface Replier extends Omit<Subscriber, "session"> {
  send(...frames: readonly ServerFrame[]): void;
}

/** Serves the requests of one connection, once it is admitted. */
export class SessionRequests {
  readonly subscriptions: Subscriptions;
  readonly #node: NodeState;
  readonly #caller: Caller;
  readonly #replier: Replier;
  readonly #publishers = new Map<string, Publisher>();
  #activity: "active" | "idle" = "active";
  /** How many requests wait for their answer. */
  #waiting = 0;

  constructor(node: NodeState, caller: Caller, replier: Replier) {
    this.#node = node;
    this.#caller = caller;
    this.#replier = replier;
    const subscriber: Subscriber = {
      session: caller.session,
      codec: replier.codec,
      outbox: replier.outbox,
      push: (packet) => replier.push(packet),
    };
    this.subscriptions = new Subscriptions(node, caller, subscriber, () => this.#activity);
  }

  /** Whether every publish was answered. */
  get isIdle(): boolean {
    for (const publisher of this.#publishers.values()) if (!publisher.isIdle) return false;
    return true;
  }

  /** @throws TuttiError what is wrong with a frame that nobody waits for, or `LIMIT_EXCEEDED` */
  serve(frame: Request): void {
    switch (frame.op) {
      case "signal":
        return this.#signal(frame);
      case "activity":
        this.#activity = frame.activity;
        return this.subscriptions.setActivity(frame.activity);
      case "publish":
        return this.#publish(frame);
      default:
        this.#assertRoom();
        return void this.#answer(frame);
    }
  }

  /** Puts the session into the channels that the application chose for it. */
  enterMemberships(): void {
    const { session, user } = this.#caller;
    for (const channel of this.#node.memberships.channels(session, user?.id)) void this.join(channel);
  }

  /** The server puts the session into a channel. Never rejects: what goes wrong is told to the client. */
  async join(channel: string): Promise<void> {
    if (this.subscriptions.get(channel) !== undefined) return;
    try {
      await this.subscriptions.subscribe({ channel, isInvited: true }, (start) => this.#replier.send({ op: "joined", channel, start }));
    } catch (error) {
      this.#replier.send({ op: "left", channel, error: tuttiError(error, this.#node.services.log, { channel }).toWire() });
    }
  }

  /** The server ends a subscription; nothing of the channel is sent after this. */
  evict(channel: string, error: TuttiError): void {
    if (this.subscriptions.evict(channel)) this.#replier.send({ op: "left", channel, error: error.toWire() });
  }

  end(members: "leave" | "away"): void {
    this.subscriptions.endAll(members);
  }

  #assertRoom(): void {
    const { requestsMax } = this.#node.services.bounds;
    if (this.#waiting >= requestsMax) throw new TuttiError("LIMIT_EXCEEDED", { message: `requestsMax is ${requestsMax}` });
  }

  async #answer(frame: Exclude<Answered, { op: "publish" }>): Promise<void> {
    const { correlationId } = frame;
    this.#waiting++;
    try {
      const data = await this.#perform(frame);
      if (frame.op !== "subscribe") this.#reply(correlationId, data);
    } catch (error) {
      this.#fail(correlationId, error, frame.op);
    } finally {
      this.#waiting--;
    }
  }

  async #perform(frame: Exclude<Answered, { op: "publish" }>): Promise<unknown> {
    switch (frame.op) {
      case "subscribe":
        return this.subscriptions.subscribe(frame, (start) => this.#reply(frame.correlationId, start));
      case "unsubscribe":
        return this.subscriptions.unsubscribe(frame.channel);
      case "presence":
        return this.subscriptions.presence(frame);
      case "call":
        return this.#call(frame);
    }
  }

  async #call({ channel, type, payload }: ClientFrameOf<"call">): Promise<unknown> {
    if (channel === undefined) {
      const { schemas, handler } = this.#node.services.policy.call(type);
      return answerCall(schemas, payload, (input) => handler({ ...this.#caller, payload: input }));
    }
    const policy = this.#policyOf(channel);
    await this.#assertExists(policy);
    await policy.assertAllowed(this.#caller, "call", type);
    return policy.call(this.#caller, type, payload);
  }

  #publish(frame: ClientFrameOf<"publish">): void {
    this.#assertRoom();
    const { correlationId, channel } = frame;
    let publisher = this.#publishers.get(channel);
    if (publisher === undefined) {
      const policy = this.#policyOf(channel);
      this.#forgetIdlePublishers();
      publisher = new Publisher(this.#node.services, policy, this.#caller, () => this.#assertExists(policy));
      this.#publishers.set(channel, publisher);
    }
    this.#waiting++;
    publisher.publish(frame, {
      succeed: (published) => {
        this.#waiting--;
        this.#reply(correlationId, published);
      },
      fail: (error) => {
        this.#waiting--;
        this.#fail(correlationId, error, "publish");
      },
    });
  }

  #signal({ channel, type, payload }: ClientFrameOf<"signal">): void {
    const subscription = this.subscriptions.get(channel);
    if (subscription === undefined) throw new TuttiError("NOT_SUBSCRIBED", { message: `not subscribed to ${channel}`, field: "channel" });
    const { policy } = subscription.channel;
    const permission = policy.assertAllowed(this.#caller, "signal", type);
    // One after the other: a refusal beside a payload that is wrong at once would be a rejection that nobody hears.
    const valid: unknown = permission instanceof Promise ? permission.then(() => policy.validateSignal(type, payload)) : policy.validateSignal(type, payload);
    const { session, user } = this.#caller;
    const put = (signalPayload: unknown): void => {
      if (subscription.isEnded) return;
      subscription.channel.putSignal({ type, payload: signalPayload, session, ...(user !== undefined && { user: user.id }) });
    };
    if (!(valid instanceof Promise)) return put(valid);
    valid.then(put, (error: unknown) => {
      this.#replier.send({ op: "error", channel, error: tuttiError(error, this.#node.services.log, { channel, type }).toWire() });
    });
  }

  #policyOf(channel: string): ChannelPolicy {
    return this.subscriptions.policy(channel) ?? this.#node.services.policy.channel(channel);
  }

  async #assertExists(policy: ChannelPolicy): Promise<void> {
    // Whoever is subscribed was told that it exists; when it is closed, the subscription ends.
    if (this.subscriptions.get(policy.name) === undefined) await this.#node.services.policy.channel(policy.name).assertExists();
  }

  #forgetIdlePublishers(): void {
    if (this.#publishers.size < this.#node.services.bounds.subscriptionsMax) return;
    for (const [channel, publisher] of this.#publishers) if (publisher.isIdle) this.#publishers.delete(channel);
    if (this.#publishers.size >= this.#node.services.bounds.subscriptionsMax) {
      throw new TuttiError("LIMIT_EXCEEDED", { message: "too many channels are published to at once" });
    }
  }

  #reply(correlationId: string, data: unknown): void {
    try {
      this.#replier.send({ op: "reply", correlationId, success: true, ...(data !== undefined && { data }) });
    } catch (error) {
      // What a handler returned cannot be encoded.
      this.#fail(correlationId, new TuttiError("INTERNAL", { message: "the answer cannot be sent", cause: error }), "reply");
    }
  }

  #fail(correlationId: string, cause: unknown, op: string): void {
    const error = tuttiError(cause, this.#node.services.log, { op, session: this.#caller.session });
    this.#replier.send({ op: "reply", correlationId, success: false, error: error.toWire() });
  }
}
