import {
  TuttiError,
  assertChannelName,
  assertSendable,
  isTypeName,
  namespaceOf,
  validate,
  type AnySchema,
  type CallSchemas,
  type ChannelDefinition,
  type Contract,
} from "@tutti/protocol";
import type { Retention } from "./broker.js";
import type { Action, Caller, UntypedCall, UntypedHandlers } from "./handlers.js";
import type { NamespacePolicy } from "./options.js";

const DEFAULT_RETENTION: Retention = { countMin: 100, ageMsMin: 60_000, countMax: 100_000 };
/** A server without a contract takes every channel for one of these. */
const UNTYPED: ChannelDefinition = {};

/** What the application says about its channels, put together: contract, handlers and namespaces. */
export class Policy {
  readonly #contract: Contract | undefined;
  readonly #handlers: Readonly<Record<string, UntypedHandlers | undefined>>;
  readonly #calls: Readonly<Record<string, UntypedCall | undefined>>;
  readonly #namespaces: Readonly<Record<string, NamespacePolicy>>;
  readonly #closed = new Set<string>();

  constructor(
    contract: Contract | undefined,
    handlers: Readonly<Record<string, UntypedHandlers | undefined>>,
    calls: Readonly<Record<string, UntypedCall | undefined>>,
    namespaces: Readonly<Record<string, NamespacePolicy>>,
  ) {
    this.#contract = contract;
    this.#handlers = handlers;
    this.#calls = calls;
    this.#namespaces = namespaces;
  }

  /** The policy of a channel. @throws TuttiError `CHANNEL_INVALID`, `ROOM_NOT_FOUND` */
  channel(name: string): ChannelPolicy {
    assertChannelName(name);
    const match = this.#contract === undefined ? { pattern: name, params: {}, definition: UNTYPED } : this.#contract.match(name);
    if (match === undefined || this.#closed.has(name)) throw roomNotFound(name);
    return new ChannelPolicy({
      name,
      params: match.params,
      definition: match.definition,
      isTyped: this.#contract !== undefined,
      handlers: own(this.#handlers, match.pattern) ?? {},
      namespace: own(this.#namespaces, namespaceOf(name)) ?? {},
    });
  }

  /** From now on the channel is not found. */
  close(name: string): void {
    this.#closed.add(name);
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
}

/** What the application says about one channel. */
export class ChannelPolicy {
  readonly name: string;
  readonly params: Readonly<Record<string, string>>;
  readonly definition: ChannelDefinition;
  readonly namespace: NamespacePolicy;
  readonly #isTyped: boolean;
  readonly #handlers: UntypedHandlers;

  constructor({ name, params, definition, isTyped, handlers, namespace }: ChannelPolicyParts) {
    this.name = name;
    this.params = params;
    this.definition = definition;
    this.namespace = namespace;
    this.#isTyped = isTyped;
    this.#handlers = handlers;
  }

  /** How long events are kept; `undefined` where the nodes trim below their snapshots. */
  get retention(): Retention | undefined {
    return this.definition.state === undefined ? this.history : undefined;
  }

  /** What of the history is kept in any case. */
  get history(): Retention {
    return { ...DEFAULT_RETENTION, ...this.namespace.history };
  }

  /** @throws TuttiError `ROOM_NOT_FOUND` */
  async assertExists(): Promise<void> {
    const { exists } = this.#handlers;
    if (exists === undefined) return;
    if (!(await exists({ channel: this.name, params: this.params }))) throw roomNotFound(this.name);
  }

  /** A promise only where the application's answer is one. @throws TuttiError `FORBIDDEN`, or what the application throws */
  assertAllowed(caller: Caller, action: Action, type?: string): void | Promise<void> {
    const { clientSubscribe, clientPublish } = this.namespace;
    const isClosedToClients = action === "subscribe" ? clientSubscribe === false : (action === "publish" || action === "signal") && clientPublish === false;
    if (isClosedToClients) throw new TuttiError("FORBIDDEN");
    const { authorize } = this.#handlers;
    if (authorize === undefined) return;
    const answer = authorize({ ...caller, channel: this.name, params: this.params, action, ...(type !== undefined && { type }) });
    return answer instanceof Promise ? answer.then(assertTrue) : assertTrue(answer);
  }

  /** The event's payload as the schema and the application's handler make it. @throws TuttiError `TYPE_UNKNOWN`, `PAYLOAD_INVALID`, … */
  async prepareEvent(caller: Caller, type: string, payload: unknown): Promise<unknown> {
    const schema = this.#schema(this.definition.events, type);
    const valid = await checked(schema, payload);
    const handler = own(this.#handlers.publish, type);
    if (handler === undefined) return valid;
    const replaced = await handler({ ...caller, channel: this.name, params: this.params, payload: valid });
    return replaced === undefined ? valid : checked(schema, replaced);
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
    return answerCall(schemas, payload, (input) => handler({ ...caller, channel: this.name, params: this.params, payload: input }));
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

/** Runs a call between the schemas of its input and its output. A result against its schema is the server's fault, so it is `INTERNAL`. */
export async function answerCall(schemas: CallSchemas | undefined, payload: unknown, handler: (input: unknown) => unknown): Promise<unknown> {
  const input: unknown = schemas === undefined ? payload : await validate(schemas.input, payload);
  const result = await handler(input);
  if (schemas === undefined) return result;
  try {
    return await validate(schemas.output, result, "result");
  } catch (cause) {
    throw new TuttiError("INTERNAL", { message: "the result does not fit the contract", cause });
  }
}

/** What the schema makes of a payload, fit to be sent: a schema may put out a `Date` or a `Map`, which JSON would turn into something else. */
function checked(schema: AnySchema | undefined, payload: unknown, root = "payload"): unknown {
  const valid: unknown = schema === undefined ? payload : validate(schema, payload, root);
  if (valid instanceof Promise) return valid.then(sendable);
  return sendable(valid);
}

function sendable(payload: unknown): unknown {
  assertSendable(payload);
  return payload;
}

/** The record's own value: names that a client chooses never reach a prototype. */
function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

function assertTrue(isAllowed: boolean): void {
  if (!isAllowed) throw new TuttiError("FORBIDDEN");
}

function roomNotFound(name: string): TuttiError {
  return new TuttiError("ROOM_NOT_FOUND", { message: `there is no channel ${name}` });
}

function typeUnknown(type: string): TuttiError {
  return new TuttiError("TYPE_UNKNOWN", { message: `"${type.slice(0, 64)}" is not known here`, field: "type" });
}
