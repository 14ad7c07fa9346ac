import { TuttiError, type ClientFrameOf, type LastSeen, type SubscriptionStart } from "@tutti/protocol";
import type { Caller } from "./handlers.js";
import type { ChannelPolicy } from "./policy.js";
import type { NodeState } from "./node-state.js";
import { Subscription, type Subscriber } from "./subscription.js";

/** A subscription, from the request on: it has none yet while it waits for permission and for the channel. */
interface Slot {
  readonly policy: ChannelPolicy;
  subscription?: Subscription;
  isEnded: boolean;
}

interface Request {
  readonly channel: string;
  readonly since?: LastSeen | undefined;
  readonly presence?: boolean | undefined;
  readonly member?: unknown;
  /** The application itself put the session in: nobody is asked for permission. */
  readonly isInvited?: boolean;
}

/** The channels of one connection. */
export class Subscriptions {
  readonly #node: NodeState;
  readonly #caller: Caller;
  readonly #subscriber: Subscriber;
  readonly #activity: () => "active" | "idle";
  readonly #slots = new Map<string, Slot>();

  constructor(node: NodeState, caller: Caller, subscriber: Subscriber, activity: () => "active" | "idle") {
    this.#node = node;
    this.#caller = caller;
    this.#subscriber = subscriber;
    this.#activity = activity;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The subscription to a channel, once it has started. */
  get(channel: string): Subscription | undefined {
    return this.#slots.get(channel)?.subscription;
  }

  /** The policy of a channel that this connection has, or is about to have. */
  policy(channel: string): ChannelPolicy | undefined {
    return this.#slots.get(channel)?.policy;
  }

  /**
   * Subscribes; a subscription that was there is replaced. `answer` is called with the start before anything of the channel is sent.
   *
   * @throws TuttiError why not, by the code of the refusal
   */
  async subscribe(request: Request, answer: (start: SubscriptionStart) => void): Promise<void> {
    const policy = this.#node.services.policy.channel(request.channel);
    this.#assertRoom(policy);
    this.#end(request.channel);
    const slot: Slot = { policy, isEnded: false };
    this.#slots.set(request.channel, slot);
    try {
      await this.#permit(policy, request);
      const member = request.member === undefined ? undefined : await this.#validMember(policy, request.member);
      const channel = await this.#node.channels.open(policy);
      this.#assertWanted(slot);
      const subscription = new Subscription(this.#node.services, channel, this.#subscriber, request.presence === true);
      const start = await subscription.start(request.since);
      if (slot.isEnded) subscription.end();
      else this.#begin(slot, subscription, member, () => answer(start));
      void subscription.run();
      this.#assertWanted(slot);
    } catch (error) {
      if (this.#slots.get(request.channel) === slot) this.#slots.delete(request.channel);
      throw error;
    }
  }

  /** Ends a subscription; the member of this session leaves. */
  unsubscribe(channel: string): void {
    if (!this.#slots.has(channel)) throw notSubscribed(channel);
    this.#leavePresence(channel);
    this.#end(channel);
  }

  /** The server ends a subscription, if there is one. */
  evict(channel: string): boolean {
    if (!this.#slots.has(channel)) return false;
    this.#leavePresence(channel);
    this.#end(channel);
    return true;
  }

  /** Enters presence, replaces the member's state, or, without one, leaves. */
  async presence({ channel: name, member }: ClientFrameOf<"presence">): Promise<void> {
    const slot = this.#slots.get(name);
    if (slot?.subscription === undefined) throw notSubscribed(name);
    if (member === undefined) return this.#leavePresence(name);
    await this.#node.services.policy.channel(name).assertAllowed(this.#caller, "presence");
    const state = await slot.policy.validateMember(member);
    if (slot.isEnded) throw notSubscribed(name);
    this.#enter(slot.subscription, state);
  }

  setActivity(activity: "active" | "idle"): void {
    for (const { subscription } of this.#slots.values()) subscription?.channel.presence.setActivity(this.#caller.session, activity);
  }

  /** The connection is gone: members leave at once, or after a time of grace where they may come back. */
  endAll(members: "leave" | "away"): void {
    for (const [name, { subscription }] of this.#slots) {
      if (members === "leave") this.#leavePresence(name);
      else subscription?.channel.presence.away(this.#caller.session);
      this.#end(name);
    }
  }

  #begin(slot: Slot, subscription: Subscription, member: unknown, answer: () => void): void {
    slot.subscription = subscription;
    answer();
    if (member !== undefined) this.#enter(subscription, member);
    if (subscription.watchesPresence) subscription.channel.watch(subscription);
  }

  async #permit(policy: ChannelPolicy, request: Request): Promise<void> {
    const { session, user } = this.#caller;
    await policy.assertExists();
    if (request.isInvited === true || this.#node.memberships.has(session, user?.id, policy.name)) return;
    let generation: number;
    do {
      generation = this.#node.revocations.of(policy.name);
      await policy.assertAllowed(this.#caller, "subscribe");
      // Somebody was shut out while the application made up its mind: the answer may be older than that.
    } while (generation !== this.#node.revocations.of(policy.name));
  }

  async #validMember(policy: ChannelPolicy, member: unknown): Promise<unknown> {
    await policy.assertAllowed(this.#caller, "presence");
    return policy.validateMember(member);
  }

  #assertRoom(policy: ChannelPolicy): void {
    if (this.#slots.has(policy.name)) return;
    const { subscriptionsMax } = this.#node.services.bounds;
    if (this.#slots.size >= subscriptionsMax) throw limitExceeded("subscriptionsMax", subscriptionsMax);
    const inNamespace = policy.namespace.subscriptionsMax;
    if (inNamespace === undefined) return;
    let count = 0;
    for (const slot of this.#slots.values()) if (slot.policy.namespace === policy.namespace) count++;
    if (count >= inNamespace) throw limitExceeded("subscriptionsMax of the namespace", inNamespace);
  }

  #assertWanted(slot: Slot): void {
    if (slot.isEnded) throw notSubscribed(slot.policy.name);
  }

  #enter(subscription: Subscription, state: unknown): void {
    const { session, user } = this.#caller;
    subscription.channel.presence.enter({ session, user: user?.id, state, activity: this.#activity() });
  }

  #leavePresence(channel: string): void {
    this.#slots.get(channel)?.subscription?.channel.presence.leave(this.#caller.session);
  }

  #end(channel: string): void {
    const slot = this.#slots.get(channel);
    if (slot === undefined) return;
    slot.isEnded = true;
    this.#slots.delete(channel);
    slot.subscription?.end();
  }
}

function notSubscribed(channel: string): TuttiError {
  return new TuttiError("NOT_SUBSCRIBED", { message: `not subscribed to ${channel.slice(0, 128)}`, field: "channel" });
}

function limitExceeded(name: string, value: number): TuttiError {
  return new TuttiError("LIMIT_EXCEEDED", { message: `${name} is ${value}` });
}
