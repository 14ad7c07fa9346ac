import { setTimeout as pause } from "node:timers/promises";
import { RandomStream } from "@tutti/testkit";
import { Fleet } from "../nodes/fleet.js";
import { audit, type Findings } from "./audit.js";
import { kindsOf, losesData, type FaultKind } from "./fault.js";
import { Guest } from "./guest.js";
import { Striker } from "./striker.js";

export interface RoundOptions {
  readonly seed: number;
  /** Which in the order of rounds: it says which kinds of faults there are. */
  readonly round: number;
  readonly guestCount: number;
  /** For how long faults happen. */
  readonly faultMs: number;
  /** About how often each guest publishes. */
  readonly publishEveryMs: number;
}

export interface RoundResult extends Findings {
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
  readonly faults: number;
  /** From the end of the last fault until everybody was at the head, and everything that was published had ended. */
  readonly caughtUpMs: number;
  /** From there until everybody knew who was there. */
  readonly presenceMs: number;
}

const guestsPerRoom = 20;
/** INV-5. */
const catchUpMsMax = 35_000;
/** Behind that, what makes a test end that would not. */
const waitMsMax = 120_000;
const lookEveryMs = 50;

interface Rooms {
  readonly names: readonly string[];
  readonly guests: readonly Guest[];
  readonly of: (name: string) => readonly Guest[];
}

/** One fleet, one crowd of guests, faults drawn from a seed, and what came of it. */
export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { seed, round, faultMs, publishEveryMs } = options;
  const chance = new RandomStream(seed, "round");
  const kinds = kindsOf(round, chance);
  const fleet = await Fleet.open();
  const rooms = roomsOf(fleet, options);
  try {
    await Promise.all(rooms.guests.map((guest) => guest.enter()));
    for (const guest of rooms.guests) guest.publishEvery(publishEveryMs);
    const striker = new Striker(fleet, seed);
    const endsAt = performance.now() + faultMs;
    await Promise.all(kinds.map((kind) => striker.keepStriking(kind, () => performance.now() > endsAt)));
    return { seed, kinds, faults: striker.count, ...(await conclude(fleet, rooms, losesData(kinds))) };
  } finally {
    await Promise.all(rooms.guests.map((guest) => guest.leave()));
    await fleet.end();
  }
}

function roomsOf({ port }: Fleet, { guestCount, seed }: RoundOptions): Rooms {
  const names = Array.from({ length: Math.ceil(guestCount / guestsPerRoom) }, (_, index) => `room${index}`);
  const guests = Array.from({ length: guestCount }, (_, index) => {
    const name = `guest${index}`;
    return new Guest({ port, name, room: `room${index % names.length}`, chance: new RandomStream(seed, name) });
  });
  return { names, guests, of: (name) => guests.filter(({ room }) => room === name) };
}

/** Waits until all that can come true again is true, and looks at all that has to be. */
async function conclude(fleet: Fleet, rooms: Rooms, mayLose: boolean) {
  const startedAt = performance.now();
  for (const guest of rooms.guests) guest.rest();
  await waitUntil(() => rooms.guests.every(({ isSettled }) => isSettled));
  // From here on nobody publishes: the heads stay where they are.
  const contents = await fleet.contents(...rooms.names.map((name) => `feed:${name}`));
  const heads = new Map(rooms.names.map((name, index) => [name, contents[index]?.events.at(-1)?.seq]));
  const isAtHead = ({ last, room }: Guest): boolean => {
    const head = heads.get(room);
    return head === undefined || (last !== undefined && last !== "gap" && last.seq === head);
  };
  await waitUntil(() => rooms.guests.every(isAtHead));
  await waitUntil(() => rooms.names.every((name) => new Set(rooms.of(name).map((guest) => JSON.stringify(guest.tally()))).size === 1));
  const caughtUpMs = performance.now() - startedAt;
  await waitUntil(() => rooms.names.every((name) => arePresent(rooms.of(name))));
  const presenceMs = performance.now() - startedAt;
  const seen = rooms.names.map((name, index) => ({ name, guests: rooms.of(name), feed: contents[index] ?? { epoch: "", events: [] } }));
  const findings = audit(seen, mayLose);
  const late = caughtUpMs <= catchUpMsMax ? [] : [`INV-5: not everybody was at the head ${catchUpMsMax / 1000} s after the last fault`];
  const ghosts = rooms.names.filter((name) => !arePresent(rooms.of(name))).map((name) => `INV-7: ${name}: not everybody knows who is there`);
  return { ...findings, violations: [...findings.violations, ...late, ...ghosts], caughtUpMs, presenceMs };
}

function arePresent(guests: readonly Guest[]): boolean {
  const names = guests.map(({ name }) => name).toSorted().join();
  return guests.every((guest) => guest.people()?.join() === names);
}

/** Until it is so; what is not so in the end is a finding of those who look then. */
async function waitUntil(isSo: () => boolean): Promise<void> {
  const endsAt = performance.now() + waitMsMax;
  while (!isSo() && performance.now() < endsAt) await pause(lookEveryMs);
}
