import { TuttiError, anything, isFinal, jsonCodec, limits, optional, record, text, type Position } from "@tutti/protocol";
import type { AppendRequest, IdempotencyKey, Outcome } from "../broker/broker.js";
import { eventIdOfKey } from "../digest.js";
import { tuttiError } from "../errors.js";
import type { Caller } from "../handlers.js";
import type { NodeState } from "../node-state.js";
import type { ChannelPolicy } from "../policy/policy.js";
import { isSamePayload } from "../publishing/publisher.js";
import { formatCursor } from "./cursor.js";
import type { HttpRequest } from "./exchange.js";

const KEY_CHARACTERS_MAX = 255;
/** A string of a structured field (RFC 9651), or the same without its quotes. */
const KEY = /^(?:"([ !#-[\]-~]+)"|([!#-~]+))$/;
const JSON_TYPE = /^application\/json *(?:;|$)/i;

const publishShape = record({ type: text(64), payload: optional(anything) });

interface Publish {
  readonly type: string;
  readonly payload?: unknown;
}

/** What a request publishes. */
export interface Publishes {
  readonly publishes: readonly Publish[];
  /** Whether they came as an array, and are answered as one. */
  readonly isBatch: boolean;
  readonly key: string | undefined;
}

/** What became of one of them. */
interface PublishedRecord {
  readonly position: string;
  readonly eventId: string;
  /** It was there already. */
  readonly repeat?: true;
  /** The payload that is in the log, where that is another than was sent. */
  readonly payload?: unknown;
}

/** Where a request stopped: those before it landed. */
interface Stop {
  readonly error: TuttiError;
  readonly index: number;
}

/** @throws TuttiError `MESSAGE_MALFORMED`, `MESSAGE_TOO_DEEP`, `FRAME_INVALID` with the field named, `LIMIT_EXCEEDED` */
export function readPublishes({ headers, body }: Pick<HttpRequest, "headers" | "body">): Publishes {
  const message = textOf(body);
  const values = jsonCodec.decode(message);
  if (values.length > limits.batchFramesMax) throw new TuttiError("LIMIT_EXCEEDED", { message: `batchFramesMax is ${limits.batchFramesMax}` });
  if (values.length === 0) throw new TuttiError("FRAME_INVALID", { message: "the body has no event" });
  const isBatch = message.trimStart().startsWith("[");
  return { publishes: values.map((value, index) => publishShape.read(value, isBatch ? String(index) : "")), isBatch, key: keyOf(headers["idempotency-key"]) };
}

export function isJson({ headers }: Pick<HttpRequest, "headers">): boolean {
  const type = headers["content-type"];
  return typeof type === "string" && JSON_TYPE.test(type);
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch (cause) {
    throw new TuttiError("MESSAGE_MALFORMED", { message: "the body is not UTF-8", cause });
  }
}

function keyOf(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const [, quoted, bare] = typeof header === "string" && header.length <= KEY_CHARACTERS_MAX ? (KEY.exec(header.trim()) ?? []) : [];
  const key = quoted ?? bare;
  if (key === undefined) throw new TuttiError("FRAME_INVALID", { message: "Idempotency-Key is not a string of at most 255 characters of ASCII", field: "Idempotency-Key" });
  return key;
}

/** Publishes what comes over HTTP: each event once for its key, as far as the broker remembers keys, and without one as often as it comes. */
export class HttpPublisher {
  readonly #node: NodeState;
  /** What is under way with a key: a repeat waits until its outcome is known. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(node: NodeState) {
    this.#node = node;
  }

  /** Publishes them one after the other, and stops at the first that fails. Never rejects. */
  async publish(caller: Caller, policy: ChannelPolicy, { publishes, key }: Publishes): Promise<{ readonly results: readonly PublishedRecord[]; readonly stop?: Stop }> {
    const results: PublishedRecord[] = [];
    for (const [index, publish] of publishes.entries()) {
      try {
        results.push(await this.#publishOne(caller, policy, publish, key === undefined ? undefined : keyIn(caller, key, index)));
      } catch (cause) {
        const error = tuttiError(cause, this.#node.services.log, { channel: policy.name, type: publish.type });
        return { results, stop: { error, index } };
      }
    }
    return { results };
  }

  async #publishOne(caller: Caller, policy: ChannelPolicy, publish: Publish, key: IdempotencyKey | undefined): Promise<PublishedRecord> {
    await policy.assertExists();
    await policy.assertAllowed(caller, "publish", publish.type);
    if (key === undefined) return this.#append(caller, policy, publish);
    return this.#inTurn(JSON.stringify([policy.name, key.principal, key.key]), async () => {
      // Before the handler: a repeat is answered from the log.
      const known = await this.#node.services.broker.lookup(policy.name, key);
      return known === undefined ? this.#append(caller, policy, publish, key) : this.#answer(policy, publish, known, eventIdOf(key));
    });
  }

  /** Runs `act` after what is under way under the same name. */
  async #inTurn<Result>(name: string, act: () => Promise<Result>): Promise<Result> {
    const before = this.#underWay.get(name);
    const turn = before === undefined ? act() : before.then(act, act);
    this.#underWay.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.#underWay.get(name) === turn) this.#underWay.delete(name);
    }
  }

  async #append(caller: Caller, policy: ChannelPolicy, publish: Publish, key?: IdempotencyKey): Promise<PublishedRecord> {
    const { environment } = this.#node.services;
    const { type, payload, isReplaced } = await policy.prepareEvent(caller, publish.type, publish.payload);
    const { retention } = policy;
    const { user } = caller;
    const eventId = key === undefined ? environment.id() : eventIdOf(key);
    const outcome = await this.#land(policy, {
      event: { eventId, type, payload, timestamp: environment.now(), ...(user !== undefined && { user: user.id }) },
      ...(key !== undefined && { key }),
      ...(retention !== undefined && { retention }),
    });
    if (outcome.outcome !== "appended") return this.#answer(policy, publish, outcome, eventId);
    this.#node.channels.tend(policy, outcome.position);
    return { position: formatCursor({ ...outcome.position, eventId }), eventId, ...(isReplaced && { payload }) };
  }

  /** Rejects as the broker does; without a key, nobody can find out what became of it. */
  async #land(policy: ChannelPolicy, request: AppendRequest): Promise<Outcome> {
    const { broker, brokerWatch } = this.#node.services;
    try {
      const outcome = await broker.append(policy.name, request);
      brokerWatch.worked("append");
      return outcome;
    } catch (cause) {
      brokerWatch.failed("append", policy.name, cause);
      if (request.key !== undefined || (cause instanceof TuttiError && isFinal(cause.code))) throw cause;
      throw new TuttiError("OUTCOME_UNKNOWN", { message: "it is not known whether the event landed; with an Idempotency-Key it may be sent again", cause });
    }
  }

  async #answer(policy: ChannelPolicy, publish: Publish, outcome: Outcome, eventId: string): Promise<PublishedRecord> {
    switch (outcome.outcome) {
      case "appended":
      case "repeat":
        return { position: formatCursor({ ...outcome.position, eventId }), eventId, repeat: true, ...(await this.#logged(policy, publish, outcome.position, eventId)) };
      case "refused":
        throw TuttiError.fromWire(outcome.error);
      case "conflict":
        throw new TuttiError("CONDITION_FAILED");
      case "unknown":
      case "out-of-order":
        throw new TuttiError("OUTCOME_UNKNOWN", { message: "the key was used too long ago" });
    }
  }

  /**
   * The payload that is in the log, where that is another than was sent: the handler made it, or the first to use the key sent it.
   *
   * @throws TuttiError `PAYLOAD_INVALID` where the key was used for an event of another type
   */
  async #logged(policy: ChannelPolicy, { type, payload }: Publish, { epoch, seq }: Position, eventId: string): Promise<{ readonly payload?: unknown }> {
    const page = await this.#node.services.broker.read(policy.name, { epoch, seq: seq - 1 }, { countMax: 1 });
    const event = page.outcome === "page" ? page.run.events[0] : undefined;
    if (event?.eventId !== eventId) return {};
    if (event.type !== type) throw new TuttiError("PAYLOAD_INVALID", { message: `the key was used for an event of type ${event.type}`, field: "Idempotency-Key" });
    return isSamePayload(event.payload, payload) ? {} : { payload: event.payload };
  }
}

/** Each event of a request has a key of its own, by its place. */
function keyIn({ user }: Caller, key: string, index: number): IdempotencyKey {
  return { principal: user === undefined ? "anonymous" : `user ${user.id}`, key: `${index} ${key}` };
}

function eventIdOf({ principal, key }: IdempotencyKey): string {
  return eventIdOfKey(principal, key);
}
