import type { Cancel, Member, ServerFrameOf } from "@tutti/protocol";
import type { Core } from "./core.js";
import { deferred, settle } from "./deferred.js";
import { makeStore } from "./store.js";

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
  readonly user?: string | undefined;
  readonly state: State;
}

/** Who is here, from what the server tells. */
export function makePeople({ report, session }: Core, notify: (notice: PresenceNotice) => void) {
  let members = new Map<string, Member>();
  /** Whether everybody is known; `undefined` before the first list. */
  let complete: boolean | undefined;
  const store = makeStore<PresenceList>(report, () => ({ complete: complete === true, people: peopleOf(members.values(), session.publicId) }));

  return {
    store,
    /** The whole list, or what changed in it. Whatever is different from before is told; a first list is no news. */
    take(frame: ServerFrameOf<"presence">): void {
      const before = members;
      const isFirst = complete === undefined;
      members = new Map(frame.members?.map((member) => [member.session, member]) ?? before);
      for (const { type, member } of frame.changes ?? []) {
        if (type === "presence:leave") members.delete(member.session);
        else members.set(member.session, member);
      }
      complete = frame.complete ?? complete === true;
      store.changed();
      for (const [id, { user, state }] of isFirst ? [] : new Map([...before, ...members])) {
        const [old, now] = [before, members].map((list) => JSON.stringify(list.get(id)));
        const type = now === undefined ? "leave" : old === undefined ? "join" : "update";
        if (old !== now) notify({ type: `presence:${type}`, session: id, user, state });
      }
    },
    /** Others may come and go unseen: the list is what it was, and says so; or it is over, and there is none. */
    stale(isOver: boolean): void {
      if (isOver) members = new Map();
      complete = isOver ? undefined : complete && false;
      store.changed();
    },
  };
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
export function makeMembership(channel: string, core: Core) {
  let wish: Wish | undefined;
  /** What the server was told last. */
  let told: Wish | undefined;
  let request: Cancel | undefined;
  let wait = deferred<void>();

  const abandon = (error?: unknown): void => {
    const waiting = wait;
    wait = deferred();
    settle(waiting, error);
  };
  const tell = (): { readonly member: unknown } => {
    told = wish;
    return { member: wish?.state };
  };
  const ended = (error?: unknown): void => {
    request?.();
    if (error === undefined) return;
    wish = undefined;
    abandon(error);
  };
  const send = (): void => {
    request?.();
    request = core.requests.persist(
      () => ({ op: "presence", channel, ...tell() }),
      (answer) => {
        if (answer.kind === "error") {
          ended(answer.error);
          // What was entered before is there still, and would be for as long as the connection lasts.
          core.requests.ask({ op: "presence", channel }, () => {});
        }
        if (answer.kind === "success") abandon();
      },
    );
  };

  return {
    /** What stands in a subscribe frame that is sent now. */
    tell,
    /** Whoever waits hears that it is done, or the error. */
    abandon,
    /** The connection ended; with an error the subscription, and with it the entry. */
    ended,
    /** Enters with the state, or leaves; `live`: told now, else by the next subscribe frame. Resolves when the server knows. */
    set(next: Wish | undefined, isLive: boolean): Promise<void> {
      wish = next && { state: next.state ?? null };
      const { promise } = wait;
      if (isLive) send();
      else if (wish === undefined) abandon();
      return promise;
    },
    /** The subscribe frame was answered. What was wished for meanwhile is told now. */
    entered(): void {
      if (told === wish) abandon();
      else send();
    },
  };
}
