import {
  TuttiError,
  assertChannelName,
  defineContract,
  isTypeName,
  jsonCodec,
  namespaceOf,
  validate,
  type AnySchema,
  type CallSchemas,
  type ChannelDefinition,
  type Contract,
} from "@tutti/protocol";
import type { Retention } from "../broker/broker.js";
import type { Action, Caller, UntypedCall, UntypedHandlers } from "../handlers.js";
import { assertCounts, assertDelay, DEFAULT_RETENTION, type NamespacePolicy } from "../options.js";
import type { PreparedEvent } from "../publishing/prepared.js";

/** A server without a contract takes every channel for one of these. */
const UNTYPED: ChannelDefinition = {};

/** What the application says about its channels, put together: contract, handlers and namespaces. */
export class Policy {
  readonly #contract: Contract | undefined;
  /** The patterns of the contract; without one, those that have handlers. */
  readonly #patterns: Contract;
  readonly #handlers: Readonly<Record<string, UntypedHandlers | undefined>>;
  readonly #calls: Readonly<Record<string, UntypedCall | undefined>>;
  readonly #namespaces: Readonly<Record<string, NamespacePolicy>>;
  readonly #closed = new Set<string>();

  /**
   * @throws TuttiError `CONTRACT_INVALID` for handlers of a pattern that the contract does not have: they would guard nothing; and for a number of a
   * namespace that is none
   */
  constructor(
    contract: Contract | undefined,
    handlers: Readonly<Record<string, UntypedHandlers | undefined>>,
    calls: Readonly<Record<string, UntypedCall | undefined>>,
    namespaces: Readonly<Record<string, NamespacePolicy>>,
  ) {
    const patterns = Object.keys(handlers);
    this.#contract = contract;
    this.#patterns = contract ?? defineContract({ channels: Object.fromEntries(patterns.map((pattern) => [pattern, UNTYPED])) });
    this.#handlers = handlers;
    this.#calls = calls;
    this.#namespaces = namespaces;
    const stray = patterns.find((pattern) => own(this.#patterns.definition.channels, pattern) === undefined);
    if (stray !== undefined) throw new TuttiError("CONTRACT_INVALID", { message: `there are handlers for "${stray}", which the contract does not have` });
    for (const [name, { history = {}, subscriptionsMax, signalFlushMs }] of Object.entries(namespaces)) {
      assertCounts(history, `namespaces.${name}.history`);
      assertCounts({ subscriptionsMax }, `namespaces.${name}`);
      assertDelay(signalFlushMs, `namespaces.${name}.signalFlushMs`);
    }
  }

  get contract(): Contract | undefined {
    return this.#contract;
  }

  /** The policy of a channel, whether the channel exists or not. @throws TuttiError `CHANNEL_INVALID`; `ROOM_NOT_FOUND` where no pattern matches */
  channel(name: string): ChannelPolicy {
    assertChannelName(name);
    const match = this.#patterns.match(name);
    if (match === undefined && this.#contract !== undefined) throw roomNotFound(name);
    return new ChannelPolicy({
      name,
      params: match?.params ?? {},
      definition: match?.definition ?? UNTYPED,
      isTyped: this.#contract !== undefined,
      handlers: (match === undefined ? undefined : own(this.#handlers, match.pattern)) ?? {},
      namespace: own(this.#namespaces, namespaceOf(name)) ?? {},
      closed: this.#closed,
    });
  }

  /** The channels that the application closed, the last one last. */
  get closed(): ReadonlySet<string> {
    return this.#closed;
  }

  /** From now on the channel is not found; of those that were closed `countMax` are remembered, the last ones. */
  close(name: string, countMax: number): void {
    this.#closed.delete(name);
    this.#closed.add(name);
    for (const oldest of this.#closed) {
      if (this.#closed.size <= countMax) return;
      this.#closed.delete(oldest);
    }
  }

  /** Takes back {@link close}. */
  reopen(name: string): void {
    this.#closed.delete(name);
  }

  /** What answers a call that belongs to no channel. @throws TuttiError `TYPE_UNKNOWN` */
  call(type: string): { readonly schemas: CallSchemas | undefined; readonly handler: UntypedCall } {
    const schemas = own(this.#contract?.definition.calls, type);
    const handler = own(this.#calls, type);
    if (handler === undefined) throw typeUnknown(type);
    return { schemas, handler };
  }
}

interface ChannelPolicyParts {
  readonly name: string;
  readonly params: Readonly<Record<string, string>>;
  readonly definition: ChannelDefinition;
  readonly isTyped: boolean;
  readonly handlers: UntypedHandlers;
  readonly namespace: NamespacePolicy;
  /** The channels that the application closed. */
  readonly closed: ReadonlySet<string>;
}

/** What the application says about one channel. */
export class ChannelPolicy {
  readonly name: string;
  readonly params: Readonly<Record<string, string>>;
  readonly definition: ChannelDefinition;
  readonly namespace: NamespacePolicy;
  /** What of the history is kept in any case. */
  readonly history: Retention;
  /** How long events are kept; `undefined` where the nodes trim below their snapshots. */
  readonly retention: Retention | undefined;
  readonly #isTyped: boolean;
  readonly #handlers: UntypedHandlers;
  readonly #closed: ReadonlySet<string>;

  constructor({ name, params, definition, isTyped, handlers, namespace, closed }: ChannelPolicyParts) {
    this.name = name;
    this.params = params;
    this.definition = definition;
    this.namespace = namespace;
    this.history = { ...DEFAULT_RETENTION, ...namespace.history };
    this.retention = definition.state === undefined ? this.history : undefined;
    this.#isTyped = isTyped;
    this.#handlers = handlers;
    this.#closed = closed;
  }

  /** @throws TuttiError `ROOM_NOT_FOUND` where the application closed it */
  assertOpen(): void {
    if (this.#closed.has(this.name)) throw roomNotFound(this.name);
  }

  /** @throws TuttiError `ROOM_NOT_FOUND` where the application closed it, or says that there is none */
  async assertExists(): Promise<void> {
    const { exists } = this.#handlers;
    if (exists !== undefined && !(await exists({ channel: this.name, params: this.params }))) throw roomNotFound(this.name);
    // Asked last: it may be closed while the application looks.
    this.assertOpen();
  }

  /** A promise only where the application's answer is one. @throws TuttiError `FORBIDDEN`, or what the application throws */
  assertAllowed(caller: Caller, action: Action, type?: string): void | Promise<void> {
    const { clientSubscribe, clientPublish } = this.namespace;
    const isClosedToClients = action === "subscribe" ? clientSubscribe === false : (action === "publish" || action === "signal") && clientPublish === false;
    if (isClosedToClients) throw new TuttiError("FORBIDDEN");
    const { authorize } = this.#handlers;
    if (authorize === undefined) return;
    const answer = authorize({ channel: this.name, params: this.params, action, ...caller, ...(type !== undefined && { type }) });
    // All but a plain answer is waited for: a promise of another library is an object, and would pass for a yes.
    return typeof answer === "boolean" ? assertTrue(answer) : Promise.resolve(answer).then(assertTrue);
  }

  /** Whether the application looks at events of the type before they are appended. */
  handles(type: string): boolean {
    return own(this.#handlers.publish, type) !== undefined;
  }

  /** The event as the schema and the application's handler make it. @throws TuttiError `TYPE_UNKNOWN`, `PAYLOAD_INVALID`, … */
  async prepareEvent(caller: Caller, type: string, payload: unknown): Promise<PreparedEvent> {
    const schema = this.#schema(this.definition.events, type);
    const valid = schema === undefined ? payload : await checked(schema, payload);
    const handler = own(this.#handlers.publish, type);
    if (handler === undefined) return { type, payload: valid, isReplaced: false };
    const replaced = await handler({ channel: this.name, params: this.params, payload: valid, ...caller });
    if (replaced === undefined) return { type, payload: valid, isReplaced: false };
    return { type, payload: await fitting(() => checked(schema, replaced), "the handler's payload"), isReplaced: true };
  }

  /** The event's payload as the schema makes it; for what the server itself publishes. */
  async validateEvent(type: string, payload: unknown): Promise<unknown> {
    return checked(this.#schema(this.definition.events, type), payload);
  }

  /** A promise only where the schema is asynchronous. @throws TuttiError `TYPE_UNKNOWN`, `PAYLOAD_INVALID` */
  validateSignal(type: string, payload: unknown): unknown {
    // "typing" is Tutti's own and means the same in every channel.
    if (type === "typing" && typeof payload === "boolean") return payload;
    return checked(this.#schema(this.definition.signals, type), payload);
  }

  /** A promise only where the schema is asynchronous. @throws TuttiError `PAYLOAD_INVALID` */
  validateMember(state: unknown): unknown {
    return checked(this.definition.presence, state, "member");
  }

  /** What the application answers to a call. @throws TuttiError `TYPE_UNKNOWN`, `PAYLOAD_INVALID`, … */
  async call(caller: Caller, type: string, payload: unknown): Promise<unknown> {
    const schemas = own(this.definition.calls, type);
    const handler = own(this.#handlers.calls, type);
    if (handler === undefined) throw typeUnknown(type);
    return answerCall(schemas, payload, (input) => handler({ channel: this.name, params: this.params, payload: input, ...caller }));
  }

  #schema(schemas: Readonly<Record<string, AnySchema>> | undefined, type: string): AnySchema | undefined {
    if (!this.#isTyped) {
      if (isTypeName(type)) return undefined;
      throw typeUnknown(type);
    }
    const schema = own(schemas, type);
    if (schema === undefined) throw typeUnknown(type);
    return schema;
  }
}

/** Runs a call between the schemas of its input and its output. */
export async function answerCall(schemas: CallSchemas | undefined, payload: unknown, handler: (input: unknown) => unknown): Promise<unknown> {
  const input: unknown = schemas === undefined ? payload : await validate(schemas.input, payload);
  const result = await handler(input);
  return schemas === undefined ? result : fitting(() => validate(schemas.output, result, "result"), "the result");
}

/** What the server itself made and the contract does not allow is a failure of the server, and told as one. */
async function fitting(check: () => unknown, what: string): Promise<unknown> {
  try {
    return await check();
  } catch (cause) {
    throw new Error(`${what} does not fit the contract`, { cause });
  }
}

/** What the schema makes of a payload, fit to be sent: a schema may put out a `Date` or a `Map`, which JSON would turn into something else. */
function checked(schema: AnySchema | undefined, payload: unknown, root = "payload"): unknown {
  const valid: unknown = schema === undefined ? payload : validate(schema, payload, root);
  return valid instanceof Promise ? valid.then(received) : received(valid);
}

/**
 * The payload as it arrives at the other end: both ends reduce the same, also where a field is `undefined`, and nobody else holds it, to change
 * it after it was published. @throws TuttiError `PAYLOAD_INVALID` where it cannot be sent
 */
function received(payload: unknown): unknown {
  const [frame] = jsonCodec.decode(jsonCodec.encode([{ payload }]));
  return (frame as { readonly payload?: unknown }).payload;
}

/** The record's own value: names that a client chooses never reach a prototype. */
function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

function assertTrue(isAllowed: unknown): void {
  if (isAllowed !== true) throw new TuttiError("FORBIDDEN");
}

function roomNotFound(name: string): TuttiError {
  return new TuttiError("ROOM_NOT_FOUND", { message: `there is no channel ${name}` });
}

function typeUnknown(type: string): TuttiError {
  return new TuttiError("TYPE_UNKNOWN", { message: `"${type.slice(0, 64)}" is not known here`, field: "type" });
}
