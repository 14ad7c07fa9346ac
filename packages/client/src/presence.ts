import { isFinal, TuttiError, type Cancel, type Environment, type Member, type ServerFrameOf } from "@tutti/protocol";
import { Backoff } from "./backoff.js";
import { Deferred } from "./deferred.js";
import type { Report } from "./emitter.js";
import type { Reply, Requests } from "./requests.js";
import { Store } from "./store.js";

export interface Device<State = unknown> {
  /** The public id of the device's session. */
  readonly session: string;
  readonly state: State;
  readonly activity: "active" | "idle";
  /** Its connection ended without a goodbye, and may come back. */
  readonly away: boolean;
  /** Since when, Unix ms of the server. */
  readonly since: number;
  /** Whether it is this client. */
  readonly self: boolean;
}

/** Somebody who is here: once, however many devices. */
export interface Person<State = unknown> {
  readonly user: string | undefined;
  /** The user, or the session of somebody without a name. */
  readonly key: string;
  readonly devices: readonly Device<State>[];
  /** Whether all devices are away. */
  readonly away: boolean;
}

export interface PresenceList<State = unknown> {
  /** `false` until everybody who is here is known, and while not connected. */
  readonly complete: boolean;
  readonly people: readonly Person<State>[];
}

export interface PresenceNotice<State = unknown> {
  readonly type: "presence:join" | "presence:update" | "presence:leave";
  readonly session: string;
  readonly user?: string;
  readonly state: State;
}

/** Who is here, from what the server tells. */
export class PresenceState {
  readonly store: Store<PresenceList>;
  readonly #self: () => string | undefined;
  readonly #notify: (notice: PresenceNotice) => void;
  #members = new Map<string, Member>();
  #known: "nothing" | "some" | "all" = "nothing";

  constructor(self: () => string | undefined, notify: (notice: PresenceNotice) => void, report: Report) {
    this.#self = self;
    this.#notify = notify;
    this.store = new Store(() => ({ complete: this.#known === "all", people: peopleOf(this.#members.values(), this.#self()) }), report);
  }

  take({ members, complete, changes = [] }: ServerFrameOf<"presence">): void {
    const notices = members === undefined ? [] : this.#replace(members);
    if (complete !== undefined) this.#known = complete ? "all" : "some";
    for (const { type, member } of changes) {
      if (type === "presence:leave") this.#members.delete(member.session);
      else this.#members.set(member.session, member);
      notices.push(noticeOf(type, member));
    }
    this.store.changed();
    notices.forEach(this.#notify);
  }

  /** Others may come and go unseen: the list is what it was, and says so. */
  stale(): void {
    if (this.#known === "all") this.#known = "some";
    this.store.changed();
  }

  clear(): void {
    this.#members.clear();
    this.#known = "nothing";
    this.store.changed();
  }

  /** The whole list. What is different from what was known before is told; the first list is no news. */
  #replace(members: readonly Member[]): PresenceNotice[] {
    const before = this.#members;
    this.#members = new Map(members.map((member) => [member.session, member]));
    if (this.#known === "nothing") {
      this.#known = "some";
      return [];
    }
    const gone = [...before.values()].filter(({ session }) => !this.#members.has(session)).map((member) => noticeOf("presence:leave", member));
    const rest = members.flatMap((member) => {
      const old = before.get(member.session);
      if (old === undefined) return noticeOf("presence:join", member);
      return JSON.stringify(old) === JSON.stringify(member) ? [] : noticeOf("presence:update", member);
    });
    return [...gone, ...rest];
  }
}

function noticeOf(type: PresenceNotice["type"], { session, user, state }: Member): PresenceNotice {
  return { type, session, ...(user !== undefined && { user }), state };
}

function peopleOf(members: Iterable<Member>, self: string | undefined): readonly Person[] {
  const devices = new Map<string, { readonly user: string | undefined; readonly devices: Device[] }>();
  for (const { session, user, state, activity, away, since } of members) {
    // A user may be called like a session: the two are kept apart.
    const key = user === undefined ? `session ${session}` : `user ${user}`;
    const person = devices.get(key) ?? { user, devices: [] };
    devices.set(key, person);
    person.devices.push({ session, state, activity, away: away ?? false, since, self: session === self });
  }
  return [...devices.values()].map((person) => ({ ...person, key: person.user ?? person.devices[0]?.session ?? "", away: person.devices.every(({ away }) => away) }));
}

interface Wish {
  readonly state: unknown;
}

const memberOf = (wish: Wish | undefined): { readonly member?: unknown } => (wish === undefined ? {} : { member: wish.state });

/** This client's own entry: wished for once, and entered again after every reconnect. */
export class Membership {
  readonly #channel: string;
  readonly #requests: Requests;
  readonly #environment: Environment;
  readonly #backoff: Backoff;
  #wish: Wish | undefined;
  /** What the last subscribe frame told. */
  #told: Wish | undefined;
  /** `dirty`: the wish changed since it was sent; only the newest is sent. */
  #sending: "idle" | "sending" | "dirty" = "idle";
  #waiting: Deferred<void>[] = [];
  #pause: Cancel | undefined;

  constructor(channel: string, requests: Requests, environment: Environment) {
    this.#channel = channel;
    this.#requests = requests;
    this.#environment = environment;
    this.#backoff = new Backoff(environment);
  }

  /** What stands in a subscribe frame that is sent now. */
  tell(): { readonly member?: unknown } {
    this.#told = this.#wish;
    return memberOf(this.#wish);
  }

  /** Notes the wish for the next subscribe frame. */
  wish(state: unknown): void {
    this.#wish = { state: state ?? null };
  }

  /** Tells the server the wish; the newest wins. Resolves when it knows. */
  set(wish: Wish | undefined, isLive: boolean): Promise<void> {
    this.#wish = wish && { state: wish.state ?? null };
    const wait = new Deferred<void>();
    this.#waiting.push(wait);
    if (!isLive && wish === undefined) this.settle(undefined);
    else if (this.#sending !== "idle") this.#sending = "dirty";
    else if (isLive && this.#pause === undefined) this.#send();
    return wait.promise;
  }

  /** The subscribe frame was answered. */
  entered(): void {
    if (this.#sending !== "idle") return;
    if (this.#told === this.#wish) this.settle(undefined);
    else this.#send();
  }

  settle(error: TuttiError | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wait of waiting) {
      if (error === undefined) wait.resolve();
      else wait.reject(error);
    }
  }

  /** The connection ended: the next subscribe frame tells. */
  lineDown(): void {
    this.#stopPause();
    this.#sending = "idle";
  }

  /** The subscription ended, and with it the entry. */
  ended(error: TuttiError): void {
    this.lineDown();
    this.#wish = undefined;
    this.settle(error);
  }

  #send(): void {
    this.#sending = "sending";
    try {
      this.#requests.ask({ op: "presence", channel: this.#channel, ...memberOf(this.#wish) }, (reply) => this.#answered(reply));
    } catch (cause) {
      this.#refused(cause instanceof TuttiError ? cause : new TuttiError("INTERNAL", { cause }));
    }
  }

  #answered(reply: Reply): void {
    if (reply.kind === "lost") return;
    const wasDirty = this.#sending === "dirty";
    this.#sending = "idle";
    if (wasDirty) return this.#send();
    if (reply.kind === "success") {
      this.#backoff.reset();
      return this.settle(undefined);
    }
    if (isFinal(reply.error.code)) return this.#refused(reply.error);
    this.#pause = this.#environment.after(this.#backoff.nextMs(reply.error.retryAfterMs), () => {
      this.#pause = undefined;
      this.#send();
    });
  }

  #refused(error: TuttiError): void {
    this.#sending = "idle";
    this.#wish = undefined;
    this.settle(error);
  }

  #stopPause(): void {
    this.#pause?.();
    this.#pause = undefined;
  }
}
