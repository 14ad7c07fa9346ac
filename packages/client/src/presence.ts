import { isFinal, type Cancel, type Member, type ServerFrameOf } from "@tutti/protocol";
import { backoffMs } from "./backoff.js";
import type { Core } from "./core.js";
import { Deferred } from "./deferred.js";
import type { Answer } from "./requests.js";
import { makeStore, type Store } from "./store.js";

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
  readonly #notify: (notice: PresenceNotice) => void;
  #members = new Map<string, Member>();
  #known: "nothing" | "some" | "all" = "nothing";

  constructor(core: Core, notify: (notice: PresenceNotice) => void) {
    this.#notify = notify;
    this.store = makeStore(core.report, () => ({ complete: this.#known === "all", people: peopleOf(this.#members.values(), core.session.publicId) }));
  }

  take({ members, complete, changes = [] }: ServerFrameOf<"presence">): void {
    const notices: PresenceNotice[] = [];
    const tell = (type: PresenceNotice["type"], { session, user, state }: Member): void => {
      notices.push({ type, session, ...(user !== undefined && { user }), state });
    };
    if (members !== undefined) this.#replace(members, tell);
    if (complete !== undefined) this.#known = complete ? "all" : "some";
    for (const { type, member } of changes) {
      if (type === "presence:leave") this.#members.delete(member.session);
      else this.#members.set(member.session, member);
      tell(type, member);
    }
    this.store.changed();
    for (const notice of notices) this.#notify(notice);
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
  #replace(members: readonly Member[], tell: (type: PresenceNotice["type"], member: Member) => void): void {
    const before = this.#members;
    const isFirst = this.#known === "nothing";
    this.#known = "some";
    this.#members = new Map(members.map((member) => [member.session, member]));
    if (isFirst) return;
    for (const old of before.values()) if (!this.#members.has(old.session)) tell("presence:leave", old);
    for (const member of members) {
      const old = before.get(member.session);
      if (old === undefined) tell("presence:join", member);
      else if (JSON.stringify(old) !== JSON.stringify(member)) tell("presence:update", member);
    }
  }
}

function peopleOf(members: Iterable<Member>, self: string | undefined): readonly Person[] {
  const people = new Map<string, { readonly user: string | undefined; readonly key: string; readonly devices: Device[] }>();
  for (const { session, user, state, activity, away = false, since } of members) {
    // A user may be called like a session: the two are kept apart.
    const id = `${user === undefined}${user ?? session}`;
    const person = people.get(id) ?? { user, key: user ?? session, devices: [] };
    people.set(id, person);
    person.devices.push({ session, state, activity, away, since, self: session === self });
  }
  return Array.from(people.values(), (person) => ({ ...person, away: person.devices.every(({ away }) => away) }));
}

interface Wish {
  readonly state: unknown;
}

/** This client's own entry: wished for once, and entered again after every reconnect. */
export class Membership {
  readonly #channel: string;
  readonly #core: Core;
  #wish: Wish | undefined;
  /** What the last subscribe frame told. */
  #told: Wish | undefined;
  /** Whether the server may have an entry of this session. */
  #mayBeIn = false;
  #waiting: Deferred<void>[] = [];
  #pause: Cancel | undefined;

  constructor(channel: string, core: Core) {
    this.#channel = channel;
    this.#core = core;
  }

  /** Notes the wish for the next subscribe frame. */
  wish(state: unknown): void {
    this.#wish = { state: state ?? null };
  }

  /** What stands in a subscribe frame that is sent now. */
  tell(): { readonly member?: unknown } {
    this.#told = this.#wish;
    this.#mayBeIn ||= this.#wish !== undefined;
    return { member: this.#wish?.state };
  }

  /** Enters with the state, or leaves; resolves when the server knows. */
  set(wish: Wish | undefined, isLive: boolean): Promise<void> {
    const wait = new Deferred<void>();
    this.#wish = undefined;
    if (wish !== undefined) this.wish(wish.state);
    this.#waiting.push(wait);
    if (isLive) this.#send();
    else if (wish === undefined) this.settle();
    return wait.promise;
  }

  /** The subscribe frame was answered. */
  entered(): void {
    // A subscribe frame can enter, and leaves nothing: an entry that is not meant any more is taken back by itself.
    if (this.#told === this.#wish && (this.#wish !== undefined || !this.#mayBeIn)) this.settle();
    else this.#send();
  }

  settle(error?: unknown): void {
    for (const wait of this.#waiting.splice(0)) {
      if (error === undefined) wait.resolve();
      else wait.reject(error);
    }
  }

  /** The connection ended: the next subscribe frame tells. */
  lineDown(): void {
    this.#pause?.();
  }

  /** The subscription ended, and with it the entry. */
  ended(error: unknown): void {
    this.#pause?.();
    this.#wish = undefined;
    this.settle(error);
  }

  #send(pauses = 0): void {
    const { requests, environment } = this.#core;
    const sent = this.#wish;
    const answered = (answer: Answer): void => {
      // The answer to the newest wish speaks for those before it.
      if (answer.kind === "lost" || sent !== this.#wish) return;
      if (answer.kind === "success") {
        this.#mayBeIn = sent !== undefined;
        this.settle();
      } else if (isFinal(answer.error.code)) this.ended(answer.error);
      else this.#pause = environment.after(backoffMs(environment, pauses, answer.error.retryAfterMs), () => this.#send(pauses + 1));
    };
    this.#pause?.();
    try {
      requests.ask({ op: "presence", channel: this.#channel, member: sent?.state }, answered);
    } catch (error) {
      this.ended(error);
    }
  }
}
