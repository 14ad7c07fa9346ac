import type {
  CallPayload,
  CallResult,
  CallTypeOf,
  Contract,
  EventInput,
  EventPayload,
  EventTypeOf,
  GlobalCallPayload,
  GlobalCallResult,
  GlobalCallTypeOf,
  ParamsOf,
  PatternOf,
} from "@tutti/protocol";
import type { Handshake } from "./connections/transport.js";

/** Who is there, as `authenticate` says. What else it returns reaches every handler. */
export interface User {
  /** What tells this user from others; in events, presence and memberships. At most 128 characters. */
  readonly id: string;
  /** When the token runs out, Unix ms. The client is told to refresh it before; after it the connection ends with `TOKEN_EXPIRED`. */
  readonly expiresAt?: number;
}

type MaybePromise<T> = T | Promise<T>;

/** The client that a handler works for. */
export interface Caller<U extends User = User> {
  readonly user: U | undefined;
  /** The public id of the session. */
  readonly session: string;
}

/** The channel that a handler works for. */
export interface ChannelContext<Pattern extends string> {
  readonly channel: string;
  readonly params: ParamsOf<Pattern>;
}

export type Action = "subscribe" | "publish" | "signal" | "call" | "presence";

export interface AuthorizeRequest<Pattern extends string = string, U extends User = User> extends ChannelContext<Pattern>, Caller<U> {
  readonly action: Action;
  /** The event, signal or call, where the action has one. */
  readonly type?: string;
}

export interface PayloadContext<Pattern extends string, U extends User, Payload> extends ChannelContext<Pattern>, Caller<U> {
  readonly payload: Payload;
}

/** What the application does for the channels of one pattern. Every function may throw a `TuttiError`; what else it throws is `INTERNAL`. */
export interface ChannelHandlers<C extends Contract, P extends PatternOf<C>, U extends User> {
  /** Whether there is such a channel; without it all that match the pattern exist. `false` is answered `ROOM_NOT_FOUND`. */
  readonly exists?: (context: ChannelContext<P>) => MaybePromise<boolean>;
  /** Whether the caller may; without it everybody may. `false` is answered `FORBIDDEN`. */
  readonly authorize?: (request: AuthorizeRequest<P, U>) => MaybePromise<boolean>;
  /** Looks at an event before it is appended: returns another payload, or throws to refuse it for good. */
  readonly publish?: {
    readonly [T in EventTypeOf<C, P>]?: (context: PayloadContext<P, U, EventPayload<C, P, T>>) => MaybePromise<EventInput<C, P, T> | void>;
  };
  readonly calls?: {
    readonly [T in CallTypeOf<C, P>]?: (context: PayloadContext<P, U, CallPayload<C, P, T>>) => MaybePromise<CallResult<C, P, T>>;
  };
}

export type Handlers<C extends Contract, U extends User> = { readonly [P in PatternOf<C>]?: ChannelHandlers<C, P, U> };

export type GlobalCallHandlers<C extends Contract, U extends User> = {
  readonly [T in GlobalCallTypeOf<C>]?: (context: Caller<U> & { readonly payload: GlobalCallPayload<C, T> }) => MaybePromise<GlobalCallResult<C, T>>;
};

/** What a client shows before it may do anything. */
export interface AuthenticateRequest {
  readonly token: string | undefined;
  readonly handshake: Handshake;
}

export type Authenticate<U extends User> = (request: AuthenticateRequest) => MaybePromise<U | undefined>;

/* The same without the types of a contract, as the server's core calls them. */

interface UntypedContext extends Caller {
  readonly channel: string;
  readonly params: Readonly<Record<string, string>>;
  readonly payload: unknown;
}

export interface UntypedHandlers {
  readonly exists?: (context: Pick<UntypedContext, "channel" | "params">) => MaybePromise<boolean>;
  readonly authorize?: (request: AuthorizeRequest) => MaybePromise<boolean>;
  readonly publish?: Readonly<Record<string, ((context: UntypedContext) => MaybePromise<unknown>) | undefined>>;
  readonly calls?: Readonly<Record<string, ((context: UntypedContext) => MaybePromise<unknown>) | undefined>>;
}

export type UntypedCall = (context: Caller & { readonly payload: unknown }) => MaybePromise<unknown>;
