import { TuttiError, type Member, type Position } from "@tutti/protocol";
import type { AppendRequest, Outcome } from "../broker/broker.js";
import { eventIdOfKey } from "../digest.js";
import type { NodeState } from "../node-state.js";
import type { ChannelPolicy } from "../policy/policy.js";
import type { Published } from "../publishing/publisher.js";
import type { PublishOptions, SignalOptions } from "../server.js";
import type { Target } from "../target.js";

/** In whose name the application itself uses idempotency keys: that of no node, since another may repeat what one began. */
const PRINCIPAL = "server";

/** What an application does with one channel, whether somebody is there or not. The public type is `ServerChannel`. */
export class ChannelHandle {
  readonly name: string;
  readonly #node: NodeState;

  constructor(node: NodeState, name: string) {
    this.#node = node;
    this.name = name;
  }

  async publish(type: string, payload: unknown, { key, expected }: PublishOptions = {}): Promise<Published> {
    const { environment } = this.#node.services;
    const policy = this.#policy();
    const valid = await policy.validateEvent(type, payload);
    const { retention } = policy;
    const eventId = key === undefined ? environment.id() : eventIdOfKey(PRINCIPAL, key);
    const outcome = await this.#append({
      event: { eventId, type, payload: valid, timestamp: environment.now() },
      ...(key !== undefined && { key: { principal: PRINCIPAL, key } }),
      ...(expected !== undefined && { expected }),
      ...(retention !== undefined && { retention }),
    });
    switch (outcome.outcome) {
      case "appended":
        this.#node.channels.tend(policy, outcome.position);
        return { position: outcome.position, eventId };
      case "repeat":
        return { position: outcome.position, eventId, repeat: true };
      case "conflict":
        throw new TuttiError("CONDITION_FAILED", { message: `the head of ${this.name} is ${outcome.head.seq}`, data: outcome.head });
      default:
        throw new TuttiError("OUTCOME_UNKNOWN", { message: `the broker answered ${outcome.outcome}` });
    }
  }

  async signal(type: string, payload: unknown, { to }: SignalOptions = {}): Promise<void> {
    const { node, signalRelay } = this.#node.services;
    const valid: unknown = await this.#policy().validateSignal(type, payload);
    const signal = { type, payload: valid, session: node };
    const channel = this.#node.channels.get(this.name);
    // Where nobody here has the channel open, somebody elsewhere may.
    if (channel === undefined) signalRelay.tell(this.name, [to === undefined ? { signal } : { signal, to }]);
    else channel.putSignal(signal, to);
  }

  members(): readonly Member[] {
    return this.#node.channels.get(this.name)?.presence.members() ?? [];
  }

  async presence(): Promise<readonly Member[]> {
    const channel = await this.#node.channels.open(this.#policy());
    return channel.presence.completeMembers();
  }

  async state(): Promise<{ readonly position: Position; readonly state: unknown }> {
    const channel = await this.#node.channels.open(this.#policy());
    const { epoch, seq } = channel.position;
    return { position: { epoch, seq }, state: channel.snapshot()?.state };
  }

  kick(target: Target, reason: string): Promise<void> {
    return this.#node.commands.evict(this.name, target, "KICKED", reason);
  }

  revoke(target: Target, reason = "the permission was withdrawn"): Promise<void> {
    return this.#node.commands.evict(this.name, target, "SUBSCRIPTION_REVOKED", reason);
  }

  add(target: Target): Promise<void> {
    return this.#node.commands.add(this.name, target);
  }

  remove(target: Target, reason = "removed from the channel"): Promise<void> {
    return this.kick(target, reason);
  }

  close(): Promise<void> {
    return this.#node.commands.closeChannel(this.name);
  }

  reopen(): Promise<void> {
    return this.#node.commands.reopenChannel(this.name);
  }

  async #append(request: AppendRequest): Promise<Outcome> {
    const { broker, brokerWatch } = this.#node.services;
    try {
      const outcome = await broker.append(this.name, request);
      brokerWatch.worked("append");
      return outcome;
    } catch (error) {
      brokerWatch.failed("append", this.name, error);
      throw error;
    }
  }

  /** @throws TuttiError `ROOM_NOT_FOUND` */
  #policy(): ChannelPolicy {
    const policy = this.#node.channels.policyOf(this.name);
    policy.assertOpen();
    return policy;
  }
}
