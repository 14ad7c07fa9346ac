import { TuttiError, namespaceOf, type ClientFrameOf, type Member, type SubscriptionStart } from "@tutti/protocol";
import type { Caller } from "../handlers.js";
import type { NodeState } from "../node-state.js";
import type { ChannelPolicy } from "../policy/policy.js";
import type { Presence } from "../presence/presence.js";
import { permitReading } from "./permission.js";
import type { StartFrom } from "./replay.js";
import { Subscription, type Subscriber } from "./subscription.js";

/** A subscription, from the request on: it has none yet while it waits for permission and for the channel. */
interface Slot {
  subscription: Subscription | undefined;
  /** Why it ended: an error, or that nobody wants it any more. Errors cost ten times what ending does, so they are made for those who are told. */
  ended: TuttiError | "unsubscribed" | undefined;
  /** What is done with it now; settles when the latest that was asked for is through. */
  underWay: Promise<void> | undefined;
}

interface Request extends StartFrom {
  readonly channel: string;
  readonly presence?: boolean | undefined;
  readonly member?: unknown;
}

/** The channels of one connection. */
export class Subscriptions {
  readonly #node: NodeState;
  readonly #caller: Caller;
  readonly #subscriber: Subscriber;
  readonly #slots = new Map<string, Slot>();
  /** Where this session's member is, once it is anywhere. Apart from the slots, because a member outlives a subscription that is replaced by another. */
  #entered: Map<string, Presence> | undefined;
  #activity: Member["activity"] = "active";

  constructor(node: NodeState, caller: Caller, subscriber: Subscriber) {
    this.#node = node;
    this.#caller = caller;
    this.#subscriber = subscriber;
  }

  /** Whether there is a subscription to a channel, or one on its way. */
  has(channel: string): boolean {
    return this.#slots.has(channel);
  }

  /** The subscription to a channel, once it has started. */
  get(channel: string): Subscription | undefined {
    return this.#slots.get(channel)?.subscription;
  }

  /**
   * Subscribes; a subscription that was there is replaced. `answer` is called with the start before anything of the channel is sent.
   *
   * @throws TuttiError why not, by the code of the refusal, or of what ended it on its way
   */
  async subscribe(request: Request, answer: (start: SubscriptionStart) => void): Promise<void> {
    const policy = this.#node.channels.policyOf(request.channel);
    this.#assertRoom(policy);
    this.#end(request.channel, "unsubscribed");
    const slot: Slot = { subscription: undefined, ended: undefined, underWay: undefined };
    this.#slots.set(request.channel, slot);
    await inTurn(slot, () => this.#start(slot, policy, request, answer));
  }

  /** Ends a subscription; the member of this session leaves. */
  unsubscribe(channel: string): void {
    if (!this.#slots.has(channel)) throw notSubscribed(channel);
    this.#leavePresence(channel);
    this.#end(channel, "unsubscribed");
  }

  /**
   * Ends a subscription, if there is one, and the member of this session leaves. Whether it had started: one that is on its way is answered
   * with `error`.
   */
  evict(channel: string, error: TuttiError): boolean {
    this.#leavePresence(channel);
    return this.#end(channel, error);
  }

  /** Enters presence, replaces the member's state, or, without one, leaves. */
  async presence({ channel, member }: ClientFrameOf<"presence">): Promise<void> {
    const slot = this.#slots.get(channel);
    if (slot === undefined) throw notSubscribed(channel);
    await inTurn(slot, () => this.#changePresence(slot, channel, member));
  }

  setActivity(activity: Member["activity"]): void {
    this.#activity = activity;
    for (const presence of this.#entered?.values() ?? []) presence.setActivity(this.#caller.session, activity);
  }

  /** The connection is gone: members leave at once, or after a time of grace where they may come back. */
  endAll(members: "leave" | "away"): void {
    for (const presence of this.#entered?.values() ?? []) presence[members](this.#caller.session);
    this.#entered = undefined;
    for (const channel of this.#slots.keys()) this.#end(channel, "unsubscribed");
  }

  /** Rejects with what ended it, where it does not come to stand. */
  async #start(slot: Slot, policy: ChannelPolicy, request: Request, answer: (start: SubscriptionStart) => void): Promise<void> {
    try {
      await permitReading(this.#node, this.#caller, policy);
      const member: unknown = request.member === undefined ? undefined : await this.#validMember(policy, request.member);
      const channel = await this.#node.channels.open(policy);
      const subscription = new Subscription(this.#node.services, channel, this.#subscriber);
      const start = await subscription.start(request);
      // A command that is read meanwhile may have ended it.
      const { lease } = this.#node.services;
      while (lease.isOver) await lease.renewal();
      this.#begin(slot, subscription, () => {
        answer(start);
        // That may have been too much for the connection.
        assertWanted(slot, request.channel);
        if (member !== undefined) this.#enter(subscription, member);
        // Who subscribes again without a state has left meanwhile.
        else this.#leavePresence(request.channel);
        if (request.presence === true) channel.watch(subscription);
      });
    } catch (error) {
      // Where another request has taken the channel over, the member is that one's affair.
      if (this.#slots.get(request.channel) === slot) this.unsubscribe(request.channel);
      throw error;
    }
  }

  /** Runs a subscription that has started, after `greet` has told the client; where that fails it ends. */
  #begin(slot: Slot, subscription: Subscription, greet: () => void): void {
    try {
      assertWanted(slot, subscription.channel.name);
      slot.subscription = subscription;
      greet();
    } catch (error) {
      subscription.end();
      throw error;
    } finally {
      void subscription.run();
    }
  }

  async #changePresence(slot: Slot, channel: string, member: unknown): Promise<void> {
    assertWanted(slot, channel);
    const { subscription } = slot;
    if (subscription === undefined) throw notSubscribed(channel);
    if (member === undefined) return this.#leavePresence(channel);
    const state = await this.#validMember(subscription.channel.policy, member);
    assertWanted(slot, channel);
    this.#enter(subscription, state);
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
    const namespace = namespaceOf(policy.name);
    for (const channel of this.#slots.keys()) if (namespaceOf(channel) === namespace) count++;
    if (count >= inNamespace) throw limitExceeded("subscriptionsMax of the namespace", inNamespace);
  }

  #enter({ channel }: Subscription, state: unknown): void {
    const { session, user } = this.#caller;
    this.#entered ??= new Map();
    this.#entered.set(channel.name, channel.presence);
    channel.presence.enter({ session, user: user?.id, state, activity: this.#activity });
  }

  #leavePresence(channel: string): void {
    this.#entered?.get(channel)?.leave(this.#caller.session);
    this.#entered?.delete(channel);
  }

  /** Whether it had started. */
  #end(channel: string, why: TuttiError | "unsubscribed"): boolean {
    const slot = this.#slots.get(channel);
    if (slot === undefined) return false;
    slot.ended = why;
    this.#slots.delete(channel);
    slot.subscription?.end();
    return slot.subscription !== undefined;
  }
}

/** Takes one step after the other with a subscription: what the client sent last has to stand last, however long each permission takes. */
async function inTurn(slot: Slot, step: () => Promise<void>): Promise<void> {
  const turn = slot.underWay === undefined ? step() : slot.underWay.then(step, step);
  slot.underWay = turn;
  try {
    await turn;
  } finally {
    if (slot.underWay === turn) slot.underWay = undefined;
  }
}

function assertWanted({ ended }: Slot, channel: string): void {
  if (ended !== undefined) throw ended === "unsubscribed" ? notSubscribed(channel) : ended;
}

function notSubscribed(channel: string): TuttiError {
  return new TuttiError("NOT_SUBSCRIBED", { message: `not subscribed to ${channel.slice(0, 128)}`, field: "channel" });
}

function limitExceeded(name: string, value: number): TuttiError {
  return new TuttiError("LIMIT_EXCEEDED", { message: `${name} is ${value}` });
}
