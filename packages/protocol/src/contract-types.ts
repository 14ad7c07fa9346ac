import type { Calls, Contract, EventOf, PublishOf, Schemas, StateDefinition } from "./contract.js";
import type { AnySchema, InputOf, OutputOf } from "./schema.js";

/** What either end without a contract takes for one: any channel, any type, any payload. */
export type UntypedContract = Contract<{
  readonly channels: Readonly<Record<string, { readonly events: Schemas; readonly signals: Schemas; readonly calls: Calls; readonly presence: AnySchema }>>;
  readonly calls: Calls;
}>;

/* What an application's code sees of its contract `C`, for the channels of pattern `P`. */

export type PatternOf<C extends Contract> = keyof C["definition"]["channels"] & string;
type Definition<C extends Contract, P extends PatternOf<C>> = C["definition"]["channels"][P];

type EventSchemas<D> = D extends { readonly events: infer E extends Schemas } ? E : Record<never, never>;
type SignalSchemas<D> = D extends { readonly signals: infer G extends Schemas } ? G : Record<never, never>;
type CallSchemasOf<D> = D extends { readonly calls: infer K extends Calls } ? K : Record<never, never>;
type InputSchema<S> = S extends { readonly input: infer I } ? I : never;
type OutputSchema<S> = S extends { readonly output: infer O } ? O : never;

export type EventTypeOf<C extends Contract, P extends PatternOf<C>> = keyof EventSchemas<Definition<C, P>> & string;
export type EventInput<C extends Contract, P extends PatternOf<C>, T extends EventTypeOf<C, P>> = InputOf<EventSchemas<Definition<C, P>>[T]>;
export type EventPayload<C extends Contract, P extends PatternOf<C>, T extends EventTypeOf<C, P>> = OutputOf<EventSchemas<Definition<C, P>>[T]>;
/** The union of a channel's events, told apart by `type`. */
export type ChannelEvent<C extends Contract, P extends PatternOf<C>> = EventOf<EventSchemas<Definition<C, P>>>;
/** What a channel's publishes come to, told apart by `type`. */
export type ChannelPublish<C extends Contract, P extends PatternOf<C>> = PublishOf<EventSchemas<Definition<C, P>>>;

export type SignalTypeOf<C extends Contract, P extends PatternOf<C>> = keyof SignalSchemas<Definition<C, P>> & string;
export type SignalInput<C extends Contract, P extends PatternOf<C>, T extends SignalTypeOf<C, P>> = InputOf<SignalSchemas<Definition<C, P>>[T]>;
export type SignalPayload<C extends Contract, P extends PatternOf<C>, T extends SignalTypeOf<C, P>> = OutputOf<SignalSchemas<Definition<C, P>>[T]>;

export type CallTypeOf<C extends Contract, P extends PatternOf<C>> = keyof CallSchemasOf<Definition<C, P>> & string;
export type CallInput<C extends Contract, P extends PatternOf<C>, T extends CallTypeOf<C, P>> = InputOf<InputSchema<CallSchemasOf<Definition<C, P>>[T]>>;
export type CallPayload<C extends Contract, P extends PatternOf<C>, T extends CallTypeOf<C, P>> = OutputOf<InputSchema<CallSchemasOf<Definition<C, P>>[T]>>;
export type CallOutput<C extends Contract, P extends PatternOf<C>, T extends CallTypeOf<C, P>> = OutputOf<OutputSchema<CallSchemasOf<Definition<C, P>>[T]>>;
export type CallResult<C extends Contract, P extends PatternOf<C>, T extends CallTypeOf<C, P>> = InputOf<OutputSchema<CallSchemasOf<Definition<C, P>>[T]>>;

type GlobalCalls<C extends Contract> = CallSchemasOf<C["definition"]>;
export type GlobalCallTypeOf<C extends Contract> = keyof GlobalCalls<C> & string;
export type GlobalCallInput<C extends Contract, T extends GlobalCallTypeOf<C>> = InputOf<InputSchema<GlobalCalls<C>[T]>>;
export type GlobalCallPayload<C extends Contract, T extends GlobalCallTypeOf<C>> = OutputOf<InputSchema<GlobalCalls<C>[T]>>;
export type GlobalCallOutput<C extends Contract, T extends GlobalCallTypeOf<C>> = OutputOf<OutputSchema<GlobalCalls<C>[T]>>;
export type GlobalCallResult<C extends Contract, T extends GlobalCallTypeOf<C>> = InputOf<OutputSchema<GlobalCalls<C>[T]>>;

type PresenceSchema<D> = D extends { readonly presence?: infer S } ? Extract<S, AnySchema> : never;
export type PresenceInput<C extends Contract, P extends PatternOf<C>> = InputOf<PresenceSchema<Definition<C, P>>>;
export type PresenceState<C extends Contract, P extends PatternOf<C>> = OutputOf<PresenceSchema<Definition<C, P>>>;

/** The state of a channel; `undefined` where it has none. */
export type StateOf<C extends Contract, P extends PatternOf<C>> =
  Definition<C, P> extends { readonly state?: infer S } ? (Exclude<S, undefined> extends StateDefinition<infer State, infer _E> ? State : undefined) : undefined;

