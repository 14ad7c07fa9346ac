import { TuttiError } from "./errors.js";
import { isTypeName } from "./names.js";
import { compilePattern, type Pattern } from "./pattern.js";
import { validate, type AnySchema, type OutputOf } from "./schema.js";
import { readSnapshot, reduceEvent } from "./state.js";

export type Schemas = Readonly<Record<string, AnySchema>>;

/** A request that is answered. */
export interface CallSchemas {
  readonly input: AnySchema;
  readonly output: AnySchema;
}
export type Calls = Readonly<Record<string, CallSchemas>>;

/** What a reducer sees of an event. A pending event has the client's timestamp until the server's takes its place. */
export type EventOf<E extends Schemas> = {
  [Type in keyof E & string]: {
    readonly type: Type;
    readonly payload: OutputOf<E[Type]>;
    readonly eventId: string;
    readonly timestamp: number;
    readonly user?: string;
  };
}[keyof E & string];

/** What a client publishes, as the schema of its type made it; told apart by `type`. */
export type PublishOf<E extends Schemas> = {
  [Type in keyof E & string]: { readonly type: Type; readonly payload: OutputOf<E[Type]> };
}[keyof E & string];

/** State computed from the events of a channel; the same function runs on both ends. */
export interface StateDefinition<State, E extends Schemas> {
  /** Raised when `reduce` or the shape of the state changes. */
  readonly version: number;
  readonly initial: State;
  /** The state after `event`. Pure: no clock, no randomness, and the old state unchanged. If it throws, the event is skipped. */
  readonly reduce: (state: State, event: EventOf<E>) => State;
  /** A state of an older version, in today's shape. */
  readonly migrate?: (state: unknown, version: number) => State;
  /**
   * The payload of `pending` as it has to be, now that an earlier publish of the same client landed otherwise than it was sent: the server's
   * handler gave it another id, say. Asked of each publish behind it, oldest first, for what is shown and for what is sent. Pure; if it throws,
   * the error surfaces and `pending` stays as it is. A channel whose state has it sends one publish at a time.
   */
  readonly reconcile?: (
    pending: PublishOf<E>,
    outcome: { readonly sent: PublishOf<E>; readonly landed: PublishOf<E> },
  ) => PublishOf<E>["payload"];
  /**
   * The publishes, in their order, that take back what `event` did to `before`, the state that it met; nothing for one that cannot be undone.
   * Pure. Used by `undoHistory`, which publishes them as any other.
   */
  readonly inverse?: (event: PublishOf<E>, before: NoInfer<State>) => PublishOf<E> | readonly PublishOf<E>[] | undefined;
}

// oxlint-disable-next-line no-explicit-any -- the variance of a reducer's event forbids a tighter bound
type AnyState = StateDefinition<any, any>;

/** What goes through the channels of one pattern. */
export interface ChannelDefinition {
  readonly events?: Schemas;
  readonly signals?: Schemas;
  readonly calls?: Calls;
  readonly presence?: AnySchema;
  readonly state?: AnyState;
}

/**
 * What `channel` gives back. Nothing is inferred from where it is used: `defineContract` allows any schemas, and what a channel leaves out
 * would become any schemas instead of none.
 */
export interface DescribedChannel<E extends Schemas, State, G extends Schemas, C extends Calls, P extends AnySchema> {
  readonly events: NoInfer<E>;
  readonly signals: NoInfer<G>;
  readonly calls: NoInfer<C>;
  readonly presence?: NoInfer<P>;
  readonly state?: StateDefinition<NoInfer<State>, NoInfer<E>>;
}

/**
 * Describes the channels of one pattern. The events flow into the type of `state.reduce`.
 *
 * Both ends apply the schemas, the second one to what the first has made of a payload: a schema has to take its own output and leave it as it
 * is. Trimming, defaults and rounding do; text that becomes a number does not.
 *
 * @example
 * channel({
 *   events: { "note:add": z.object({ text: z.string() }) },
 *   state: { version: 1, initial: [] as string[], reduce: (notes, event) => [...notes, event.payload.text] },
 * })
 */
export function channel<
  const E extends Schemas = Record<never, never>,
  State = undefined,
  const G extends Schemas = Record<never, never>,
  const C extends Calls = Record<never, never>,
  P extends AnySchema = never,
>(definition: {
  readonly events?: E;
  readonly signals?: G;
  readonly calls?: C;
  readonly presence?: P;
  readonly state?: StateDefinition<State, E>;
}): DescribedChannel<E, State, G, C, P> {
  return { ...definition, events: definition.events ?? ({} as E), signals: definition.signals ?? ({} as G), calls: definition.calls ?? ({} as C) };
}

export interface ContractDefinition {
  readonly channels: Readonly<Record<string, ChannelDefinition>>;
  /** Calls that belong to no channel. */
  readonly calls?: Calls;
}

/** Where a channel's name leads. */
export interface ChannelMatch {
  readonly pattern: string;
  readonly params: Readonly<Record<string, string>>;
  readonly definition: ChannelDefinition;
}

/** The typed description of an application's channels, shared by both ends. */
export interface Contract<D extends ContractDefinition = ContractDefinition> {
  readonly definition: D;
  /** The pattern that a channel's name belongs to; a literal segment wins over a parameter. */
  match(channel: string): ChannelMatch | undefined;
  /* What follows is here so that a client without a contract does not load it. */
  /** The schema of a type. @throws TuttiError `TYPE_UNKNOWN` */
  schemaOf<S>(schemas: Readonly<Record<string, S>> | undefined, type: string): S;
  /** What the schema makes of `value`; a promise only where the schema is asynchronous. @throws TuttiError `PAYLOAD_INVALID` with the first wrong field */
  validate(schema: AnySchema, value: unknown): unknown;
  /** The state after an event. */
  readonly reduceEvent: typeof reduceEvent;
  /** What stands in a snapshot. @throws TuttiError `VERSION_UNSUPPORTED` */
  readonly readSnapshot: typeof readSnapshot;
}

function refuse(message: string): never {
  throw new TuttiError("CONTRACT_INVALID", { message });
}

/** What a client's `channel.on` hears beside the application's events and signals, and the signal behind `channel.typing`. */
const RESERVED: ReadonlySet<string> = new Set(["gap", "presence:join", "presence:update", "presence:leave", "typing"]);

function checkTypes(where: string, types: Readonly<Record<string, unknown>> | undefined): void {
  for (const type of Object.keys(types ?? {})) if (!isTypeName(type)) refuse(`${where}: "${type}" is not a type's name`);
}

/** Events and signals are heard by the same `channel.on`, so a name has one meaning. */
function checkHeard(where: string, { events, signals }: ChannelDefinition): void {
  for (const type of Object.keys({ ...events, ...signals })) if (RESERVED.has(type)) refuse(`${where}: the name "${type}" is taken`);
  for (const type of Object.keys(events ?? {})) {
    if (signals !== undefined && Object.hasOwn(signals, type)) refuse(`${where}: "${type}" is both an event and a signal`);
  }
}

/**
 * Names an application's channels with all that goes through them.
 *
 * @throws TuttiError `CONTRACT_INVALID` for a pattern or type that is none, a name with two meanings, or two patterns for the same names
 * @example
 * export const contract = defineContract({
 *   channels: { "canvas:{id}": channel({ events: { "concept:create": conceptSchema } }) },
 *   calls: { "canvas:list": { input: z.object({}), output: z.array(canvasSchema) } },
 * });
 */
export function defineContract<const D extends ContractDefinition>(definition: D): Contract<D> {
  const compiled: { pattern: Pattern; definition: ChannelDefinition }[] = [];
  for (const [text, channelDefinition] of Object.entries(definition.channels)) {
    const pattern = compilePattern(text);
    const twin = compiled.find((other) => other.pattern.shape === pattern.shape);
    if (twin !== undefined) refuse(`"${text}" and "${twin.pattern.text}" name the same channels`);
    const { events, signals, calls } = channelDefinition;
    for (const types of [events, signals, calls]) checkTypes(text, types);
    checkHeard(text, channelDefinition);
    compiled.push({ pattern, definition: channelDefinition });
  }
  checkTypes("calls", definition.calls);
  compiled.sort((a, b) => b.pattern.literals - a.pattern.literals);

  return {
    definition,
    match(name) {
      const segments = name.split(":");
      for (const { pattern, definition: channelDefinition } of compiled) {
        const params = pattern.match(segments);
        if (params !== undefined) return { pattern: pattern.text, params, definition: channelDefinition };
      }
      return undefined;
    },
    schemaOf(schemas, type) {
      const schema = schemas !== undefined && Object.hasOwn(schemas, type) ? schemas[type] : undefined;
      if (schema === undefined) throw new TuttiError("TYPE_UNKNOWN", { message: `the contract has no "${type}"`, field: "type" });
      return schema;
    },
    validate: (schema, value) => validate(schema, value),
    reduceEvent,
    readSnapshot,
  };
}

