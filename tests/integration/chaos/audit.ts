import { idOf, type Contents } from "../durable/contents.js";
import type { Tally } from "../durable/contract.js";
import type { Fate, Guest } from "./guest.js";

/** What the invariants say of a round: nothing, where all of them held. */
export interface Findings {
  /** By invariant, in words. */
  readonly violations: readonly string[];
  readonly acknowledged: number;
  /** Acknowledged, and not in the log: only where Redis was made to lose something. */
  readonly lost: number;
  readonly deliveries: number;
  /** How often somebody was told of a gap. */
  readonly gaps: number;
}

interface Room {
  readonly name: string;
  readonly guests: readonly Guest[];
  readonly feed: Contents;
}

/** Everything that anybody saw, and that the log has, of one feed. */
class Ledger {
  readonly problems: string[] = [];
  /** By epoch and `seq`, the event there. */
  readonly #epochs = new Map<string, Map<number, string>>();
  #orders = new Map<string, ReadonlyMap<number, number>>();

  /** Two events at one position are what no epoch may have. */
  note(epoch: string, seq: number, id: string): void {
    let places = this.#epochs.get(epoch);
    if (places === undefined) this.#epochs.set(epoch, (places = new Map()));
    const known = places.get(seq);
    if (known === undefined) places.set(seq, id);
    else if (known !== id) this.problems.push(`INV-2: at ${epoch}:${seq} somebody saw ${known}, and somebody else ${id}`);
  }

  /** Which of the events of its epoch this is, counted from 0. */
  ordinal(epoch: string, seq: number): number {
    let order = this.#orders.get(epoch);
    if (order === undefined) {
      const seqs = [...(this.#epochs.get(epoch)?.keys() ?? [])].toSorted((a, b) => a - b);
      this.#orders.set(epoch, (order = new Map(seqs.map((each, index) => [each, index]))));
    }
    return order.get(seq) ?? -1;
  }
}

/** @param mayLose whether Redis was made to lose something */
export function audit(rooms: readonly Room[], mayLose: boolean): Findings {
  const findings = rooms.map((room) => auditRoom(room, mayLose));
  const sum = (pick: (each: Findings) => number): number => findings.reduce((total, each) => total + pick(each), 0);
  return {
    violations: findings.flatMap(({ violations }) => violations),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    lost: sum(({ lost }) => lost),
    deliveries: sum(({ deliveries }) => deliveries),
    gaps: sum(({ gaps }) => gaps),
  };
}

function auditRoom({ name, guests, feed }: Room, mayLose: boolean): Findings {
  const ledger = new Ledger();
  for (const event of feed.events) ledger.note(feed.epoch, event.seq, idOf(event));
  for (const { seen } of guests) for (const each of seen) if (each !== "gap") ledger.note(each.epoch, each.seq, each.id);
  const { violations: logViolations, lost } = auditLog(guests, feed, mayLose);
  const violations = [
    ...ledger.problems,
    ...guests.flatMap((guest) => auditSeen(guest, ledger)),
    ...guests.filter((guest) => !isAtHead(guest, feed)).map((guest) => `INV-5: ${guest.name} is not at the head of the feed`),
    ...logViolations,
    ...auditBoard(guests, mayLose),
    ...(mayLose || guests.every(({ seen }) => !seen.includes("gap")) ? [] : ["INV-2: a gap was told though nothing was lost"]),
  ];
  return {
    violations: violations.map((violation) => `${name}: ${violation}`),
    acknowledged: guests.reduce((total, { feedFates, boardFates }) => total + acknowledgedOf(feedFates).length + acknowledgedOf(boardFates).length, 0),
    lost,
    deliveries: guests.reduce((total, { seen }) => total + seen.length, 0),
    gaps: guests.reduce((total, { seen }) => total + seen.filter((each) => each === "gap").length, 0),
  };
}

/** Somebody saw rising positions, and all that is between them, or a gap; and nothing twice. */
function auditSeen({ name, seen }: Guest, ledger: Ledger): readonly string[] {
  const problems: string[] = [];
  const ids = new Set<string>();
  let before: { readonly epoch: string; readonly seq: number } | undefined;
  for (const each of seen) {
    if (each === "gap") {
      before = undefined;
      continue;
    }
    const { epoch, seq, id } = each;
    const place = `${epoch}:${seq}`;
    if (before !== undefined && before.epoch !== epoch) problems.push(`INV-2: ${name} saw ${place} after ${before.epoch}:${before.seq}, and no gap`);
    else if (before !== undefined && seq <= before.seq) problems.push(`INV-3: ${name} saw ${place} after ${before.seq}`);
    else if (before !== undefined && ledger.ordinal(epoch, seq) !== ledger.ordinal(epoch, before.seq) + 1) {
      problems.push(`INV-2: ${name} saw ${place} after ${before.seq}, and nothing between`);
    }
    // A new epoch may have again what was never acknowledged in the old one.
    if (ids.has(`${epoch} ${id}`)) problems.push(`INV-3: ${name} saw ${id} twice`);
    ids.add(`${epoch} ${id}`);
    before = each;
  }
  return problems;
}

const isAtHead = ({ last }: Guest, { epoch, events }: Contents): boolean => {
  const head = events.at(-1);
  return head === undefined || (last !== undefined && last !== "gap" && last.epoch === epoch && last.seq === head.seq);
};

/** What the log has of what was published: once, in each publisher's order, all that was acknowledged, and nothing that was refused. */
function auditLog(guests: readonly Guest[], { epoch, events }: Contents, mayLose: boolean) {
  const violations: string[] = [];
  const places = new Map<string, number>();
  const highest = new Map<string, number>();
  for (const event of events) {
    const id = idOf(event);
    const [publisher = "", number] = id.split("-");
    if (places.has(id)) violations.push(`INV-4: ${id} is in the log twice`);
    if (Number(number) <= (highest.get(publisher) ?? -1)) violations.push(`INV-8: ${id} is behind ${publisher}-${highest.get(publisher)}`);
    highest.set(publisher, Number(number));
    places.set(id, event.seq);
  }
  let lost = 0;
  for (const [id, fate] of guests.flatMap(({ feedFates }) => [...feedFates])) {
    if (fate === "refused" && places.has(id)) violations.push(`INV-4: ${id} was refused, and is in the log`);
    if (fate === "open") violations.push(`INV-5: nothing became of ${id}`);
    if (typeof fate === "string" || (fate.position.epoch === epoch && places.get(id) === fate.position.seq)) continue;
    lost += 1;
    if (!mayLose) violations.push(`INV-1: ${id} was acknowledged at ${fate.position.epoch}:${fate.position.seq}, and is not there`);
  }
  return { violations, lost };
}

/** Everybody sees one state of the board; where nothing may be lost it has counted each publish once, in its order. */
function auditBoard(guests: readonly Guest[], mayLose: boolean): readonly string[] {
  const [first, ...others] = guests.map((guest) => JSON.stringify(guest.tally()));
  const violations = others.filter((each) => each !== first).map(() => "INV-5: the board is not the same for everybody");
  if (mayLose || first === undefined) return violations;
  const tally = guests[0]?.tally().state;
  return [...violations, ...guests.flatMap((guest) => auditTally(guest, tally))];
}

function auditTally({ name, boardFates }: Guest, tally: Tally | undefined): readonly string[] {
  const count = tally?.counts[name] ?? 0;
  const acknowledged = acknowledgedOf(boardFates).length;
  const unknown = [...boardFates.values()].filter((fate) => fate === "unknown" || fate === "open").length;
  const isRight = count >= acknowledged && count <= acknowledged + unknown;
  const strays = tally?.strays.filter((id) => id.startsWith(`${name}-`)) ?? [];
  return [
    ...(isRight ? [] : [`INV-1: the board has counted ${count} of ${name}, who has ${acknowledged} acknowledgements`]),
    // One that was refused leaves a place empty, and what comes behind it is none the worse.
    ...(strays.length === 0 || [...boardFates.values()].includes("refused") ? [] : [`INV-8: on the board ${strays.join(", ")} came out of turn`]),
  ];
}

const acknowledgedOf = (fates: ReadonlyMap<string, Fate>): readonly Fate[] => [...fates.values()].filter((fate) => typeof fate !== "string");
