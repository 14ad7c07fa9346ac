import { TuttiError, wireErrorOf, type ClientFrame, type ClientFrameOf, type ServerFrame } from "@tutti/protocol";
import type { Subscriber, Subscription } from "../channels/subscription.js";
import { Subscriptions } from "../channels/subscriptions.js";
import { tuttiError } from "../errors.js";
import type { Caller, User } from "../handlers.js";
import type { NodeState } from "../node-state.js";
import { answerCall, type ChannelPolicy } from "../policy/policy.js";
import type { Publisher, PublishSource } from "../publishing/publisher.js";

type Request = Exclude<ClientFrame, { op: "hello" | "ping" | "bye" }>;
type Answered = Exclude<Extract<Request, { correlationId: string }>, { op: "publish" }>;

/** What requests need of their connection. */
export interface Replier extends Subscriber {
  /** Queues a frame for the end of the turn. @throws TuttiError where it cannot be encoded */
  send(frame: ServerFrame): void;
  /** Takes a new token of the same user. */
  refresh(token: string): Promise<object>;
}

/** Serves the requests of one connection, once it is admitted. */
export class SessionRequests implements PublishSource {
  readonly subscriptions: Subscriptions;
  readonly #node: NodeState;
  readonly #caller: { readonly session: string; user: User | undefined };
  readonly #replier: Replier;
  /** Of the node's publishers those that this connection uses. Most connections only listen, and have none. */
  #publishers: Map<string, Publisher> | undefined;
  /** How many requests wait for their answer, and signals for permission. */
  #waiting = 0;
  /** Settles when the latest signal that waits for permission is through. */
  #signals: Promise<void> | undefined;

  constructor(node: NodeState, { session, user }: Caller, replier: Replier) {
    this.#node = node;
    this.#caller = { session, user };
    this.#replier = replier;
    this.subscriptions = new Subscriptions(node, this.#caller, replier);
  }

  get caller(): Caller {
    return this.#caller;
  }

  /** Whether every publish was answered. */
  get isIdle(): boolean {
    for (const publisher of this.#publishers?.values() ?? []) if (!publisher.isIdle) return false;
    return true;
  }

  /** What a new token says of the user; handlers see it from now on. */
  changeUser(user: User | undefined): void {
    this.#caller.user = user;
  }

  /** @throws TuttiError what is wrong with a frame that nobody waits for, or `LIMIT_EXCEEDED` */
  serve(frame: Request): void {
    switch (frame.op) {
      case "signal":
        return this.#signal(frame);
      case "activity":
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
    for (const channel of this.#node.commands.memberships.channels(session, user?.id)) void this.join(channel);
  }

  /** The server puts the session into a channel. Never rejects: what goes wrong is told to the client. */
  async join(channel: string): Promise<void> {
    // Its own request, if there is one on its way, gets it in.
    if (this.subscriptions.has(channel)) return;
    try {
      await this.subscriptions.subscribe({ channel }, (start) => this.#send({ op: "joined", channel, start }));
    } catch (cause) {
      const error = tuttiError(cause, this.#node.services.log, { channel });
      // Where the client has asked for the channel meanwhile, it has not left.
      if (!this.subscriptions.has(channel)) this.#replier.send({ op: "left", channel, error: wireErrorOf(error) });
    }
  }

  /** The server ends a subscription; nothing of the channel is sent after this. */
  evict(channel: string, error: TuttiError): void {
    if (this.subscriptions.evict(channel, error)) this.#replier.send({ op: "left", channel, error: wireErrorOf(error) });
  }

  /** The connection is gone. */
  end(members: "leave" | "away"): void {
    this.subscriptions.endAll(members);
    for (const publisher of this.#publishers?.values() ?? []) this.#node.publishers.leave(publisher, this);
  }

  #assertRoom(): void {
    const { requestsMax } = this.#node.services.bounds;
    if (this.#waiting >= requestsMax) throw new TuttiError("LIMIT_EXCEEDED", { message: `requestsMax is ${requestsMax}` });
  }

  async #answer(frame: Answered): Promise<void> {
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

  async #perform(frame: Answered): Promise<unknown> {
    switch (frame.op) {
      case "subscribe":
        return this.subscriptions.subscribe(frame, (start) => this.#reply(frame.correlationId, start));
      case "unsubscribe":
        return this.subscriptions.unsubscribe(frame.channel);
      case "presence":
        return this.subscriptions.presence(frame);
      case "call":
        return this.#call(frame);
      case "refresh":
        return this.#replier.refresh(frame.token);
    }
  }

  async #call({ channel, type, payload }: ClientFrameOf<"call">): Promise<unknown> {
    if (channel === undefined) {
      const { schemas, handler } = this.#node.services.policy.call(type);
      return answerCall(schemas, payload, (input) => handler({ payload: input, ...this.#caller }));
    }
    const policy = this.#node.channels.policyOf(channel);
    await this.assertExists(policy);
    await policy.assertAllowed(this.#caller, "call", type);
    return policy.call(this.#caller, type, payload);
  }

  #publish(frame: ClientFrameOf<"publish">): void {
    this.#assertRoom();
    const { correlationId, channel } = frame;
    const publisher = this.#publishers?.get(channel) ?? this.#joinPublishers(channel);
    this.#waiting++;
    publisher.publish(frame, this, {
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
    this.#assertRoom();
    const subscription = this.subscriptions.get(channel);
    if (subscription === undefined) {
      // A client that subscribes again, to mend a hole, goes on signalling meanwhile: those are dropped, as signals are.
      if (this.subscriptions.has(channel)) return;
      throw new TuttiError("NOT_SUBSCRIBED", { message: `not subscribed to ${channel}`, field: "channel" });
    }
    const { policy } = subscription.channel;
    const permission = policy.assertAllowed(this.#caller, "signal", type);
    // One after the other: a refusal beside a payload that is wrong at once would be a rejection that nobody hears.
    const valid: unknown = permission instanceof Promise ? permission.then(() => policy.validateSignal(type, payload)) : policy.validateSignal(type, payload);
    if (valid instanceof Promise || this.#signals !== undefined) this.#putInTurn(subscription, type, Promise.resolve(valid));
    else this.#put(subscription, type, valid);
  }

  /** Puts the signal after those that came before it: the latest has to win, however long each permission takes. */
  #putInTurn(subscription: Subscription, type: string, valid: Promise<unknown>): void {
    const { name } = subscription.channel;
    const complain = (cause: unknown): void => {
      const error = tuttiError(cause, this.#node.services.log, { channel: name, type });
      this.#replier.send({ op: "error", channel: name, error: wireErrorOf(error) });
    };
    this.#waiting++;
    const put = valid.then(
      (payload) => () => this.#put(subscription, type, payload),
      (error: unknown) => () => complain(error),
    );
    const turn = Promise.all([put, this.#signals]).then(([act]) => {
      this.#waiting--;
      if (this.#signals === turn) this.#signals = undefined;
      act();
    });
    this.#signals = turn;
  }

  #put(subscription: Subscription, type: string, payload: unknown): void {
    const { session, user } = this.#caller;
    if (!subscription.isEnded) subscription.channel.putSignal({ type, payload, session, ...(user !== undefined && { user: user.id }) });
  }

  /** @throws TuttiError `ROOM_NOT_FOUND` */
  async assertExists(policy: ChannelPolicy): Promise<void> {
    // Whoever is subscribed was told that it exists; when it is closed, the subscription ends.
    if (this.subscriptions.get(policy.name) === undefined) await policy.assertExists();
  }

  #joinPublishers(channel: string): Publisher {
    const policy = this.#node.channels.policyOf(channel);
    const publishers = (this.#publishers ??= new Map());
    this.#leaveIdle(publishers);
    const publisher = this.#node.publishers.join(policy, this);
    publishers.set(channel, publisher);
    return publisher;
  }

  /** Makes room for one more. @throws TuttiError `LIMIT_EXCEEDED` */
  #leaveIdle(publishers: Map<string, Publisher>): void {
    const { subscriptionsMax } = this.#node.services.bounds;
    if (publishers.size < subscriptionsMax) return;
    for (const [channel, publisher] of publishers) {
      if (!publisher.isIdle) continue;
      publishers.delete(channel);
      this.#node.publishers.leave(publisher, this);
    }
    if (publishers.size >= subscriptionsMax) throw new TuttiError("LIMIT_EXCEEDED", { message: "too many channels are published to at once" });
  }

  #reply(correlationId: string, data: unknown): void {
    this.#send({ op: "reply", correlationId, success: true, ...(data !== undefined && { data }) });
  }

  #fail(correlationId: string, cause: unknown, op: string): void {
    const error = tuttiError(cause, this.#node.services.log, { op, session: this.#caller.session });
    this.#replier.send({ op: "reply", correlationId, success: false, error: wireErrorOf(error) });
  }

  /** Sends what the application made. @throws Error, which is told as a failure of the server, where it cannot be encoded */
  #send(frame: ServerFrame): void {
    try {
      this.#replier.send(frame);
    } catch (cause) {
      throw new Error("what the application made cannot be sent", { cause });
    }
  }
}
