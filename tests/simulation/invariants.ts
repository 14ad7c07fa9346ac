import { samePosition, type LastSeen, type Position } from "@tutti/protocol";
import { channels, contract, type Ledger } from "./contract.js";
import type { FaultName } from "./faults.js";
import type { Landed, LogBook } from "./log-book.js";
import { QUEUE_COUNT_MAX, type Page } from "./page.js";
import type { PublishRecord } from "./record.js";
import type { Scene } from "./scene.js";
import type { Seat } from "./seat.js";

/** A promise of docs/SPEC.md that was not kept. */
export interface Violation {
  readonly rule: string;
  readonly what: string;
}

type Report = (rule: string, what: string) => void;

/** Codes that leave the fate of a publish open. */
const OPEN_FATES: ReadonlySet<string> = new Set(["OUTCOME_UNKNOWN", "CLIENT_CLOSED", "TIMEOUT"]);

/** Faults after which what was acknowledged may be gone. */
const LOSING_DATA: readonly FaultName[] = ["broker-data-lost", "broker-rolled-back", "commit-only"];
/** Faults after which a client may have to give up what it attempted without knowing its fate. */
const LOSING_SIGHT: readonly FaultName[] = ["month", "user-changes", "page-cache"];

/** A node may ask whether a publish is known, hear no, and stand still for so long before it asks the handler. */
const UNDER_WAY_MS = 12_000;
/** Less than for how long a node keeps what a handler made: its clock may run fast. */
const PREPARED_MS = 55_000;

/** What the transport adds to each message is no part of the bound. */
const FRAMING = 1.1;

function show(position: Position | undefined): string {
  return position === undefined ? "nowhere" : `${position.epoch}-${position.seq}`;
}

function tokenOf({ payload }: Landed): string {
  return (payload as { readonly token: string }).token;
}

/** All that does not hold of a run that has settled. */
export async function violationsOf(scene: Scene): Promise<readonly Violation[]> {
  await scene.broker.settle();
  const violations: Violation[] = [];
  const report: Report = (rule, what) => violations.push({ rule, what });
  for (const { error, participant } of scene.clock.escapedErrors) report("ESCAPED", `${participant}: ${String(error)}`);
  for (const { publishes } of [...scene.actors, scene.announcer]) checkPublishes(scene, publishes, report);
  // A page that comes back from the cache may find that another took its session over, and goes on as a new one.
  if (!scene.faults.has("page-cache")) for (const { name } of channels) checkOrderOfPublishers(scene.book, name, report);
  for (const actor of scene.actors) {
    for (const { seats } of actor.pages) {
      for (const seat of seats) {
        checkChain(scene.book, seat, report);
        checkOnce(seat, scene.faults.has("broker-rolled-back"), report);
      }
    }
    for (const page of actor.pages) checkBans(scene, page, report);
  }
  for (const { name } of channels) checkCounts(scene.book, name, report);
  if (!scene.faults.has("commit-only")) for (const loss of scene.book.losses) report("LOG-2", loss);
  checkHandlings(scene, report);
  await checkHeads(scene, report);
  checkStorages(scene, report);
  checkPresence(scene, report);
  checkBounds(scene, report);
  return violations;
}

/** INV-1: an acked publish landed once, where the ack says. INV-4: any other landed at most once, and a refused one never. */
function checkPublishes({ book, faults }: Scene, publishes: readonly PublishRecord[], report: Report): void {
  const losesData = LOSING_DATA.some((fault) => faults.has(fault));
  const mayBeUnknown = losesData || LOSING_SIGHT.some((fault) => faults.has(fault));
  for (const { name } of channels) {
    const landings = new Map<string, Landed[]>();
    for (const landed of new Set(book.courses(name).flatMap(({ events }) => events))) {
      const token = tokenOf(landed);
      landings.set(token, [...(landings.get(token) ?? []), landed]);
    }
    for (const { channel, item, user, result, isOrphaned } of publishes) {
      if (channel !== name) continue;
      const landed = landings.get(item.token) ?? [];
      const where = landed.map(show).join(", ");
      // A broker that lost what it had promises nothing of that: the same publish may land again in its next life.
      const isOnce = losesData ? book.courses(name).every(({ events }) => landed.filter((one) => events.includes(one)).length <= 1) : landed.length <= 1;
      if (!isOnce) report(result.result === "acked" ? "INV-1" : "INV-4", `${item.token} landed at ${where}`);
      if (landed.some((one) => one.user !== user)) report("QUE-4", `${item.token} of ${user} landed as one of ${landed.map((one) => one.user).join(", ")}`);
      if (result.result === "acked") {
        const isThere = landed.some((one) => samePosition(one, result.position) && one.eventId === result.eventId);
        if (!isThere) report("INV-1", `${item.token} was acknowledged at ${show(result.position)}, and landed at ${where || "no place"}`);
      }
      if (result.result === "refused" && landed.length > 0 && !OPEN_FATES.has(result.code)) {
        report("INV-4", `${item.token} was refused with ${result.code}, and landed at ${where}`);
      }
      // The log of a run is short: a broker that has its data knows what became of everything, unless it was asked too late, or by somebody else.
      if (result.result === "refused" && result.code === "OUTCOME_UNKNOWN" && !mayBeUnknown) {
        report("PUB-7", `${item.token} is said to be unknown, and landed at ${where || "no place"}`);
      }
      if (result.result === "pending" && !isOrphaned) report("INV-5", `${item.token} is still not answered`);
    }
  }
}

/** INV-8: what one publisher published stands in the log in its order. */
function checkOrderOfPublishers(book: LogBook, channel: string, report: Report): void {
  for (const { events } of book.courses(channel)) {
    const latest = new Map<string, number>();
    for (const landed of events) {
      const [publisher = "", , count = ""] = tokenOf(landed).split("/");
      const before = latest.get(publisher) ?? 0;
      if (Number(count) < before) report("INV-8", `${channel}: ${tokenOf(landed)} at ${show(landed)} stands after ${publisher}'s ${before}`);
      latest.set(publisher, Math.max(before, Number(count)));
    }
  }
}

/** INV-8, over all pages of a session: its publishes stand in the log in the order of their count. */
function checkCounts(book: LogBook, channel: string, report: Report): void {
  for (const { events } of book.courses(channel)) {
    const latest = new Map<string, number>();
    for (const { eventId, ...landed } of events) {
      const [session = "", count = ""] = eventId.split(":");
      if (!/^\d+$/.test(count)) continue;
      const before = latest.get(session) ?? 0;
      if (Number(count) < before) report("INV-8", `${channel}: ${eventId} at ${show(landed)} stands after ${before}`);
      latest.set(session, Math.max(before, Number(count)));
    }
  }
}

/** PUB-12: a node asks the handler once. PUB-2: where a publish is in the log already, nobody asks. */
function checkHandlings({ book, handlings, faults }: Scene, report: Report): void {
  const isRemembered = ![...LOSING_DATA, "month" as const].some((fault) => faults.has(fault));
  for (const { name } of channels) {
    for (const landed of new Set(book.courses(name).flatMap(({ events }) => events))) {
      const runs = handlings.of(tokenOf(landed));
      const late = runs.find(({ atMs }) => atMs > landed.atMs + UNDER_WAY_MS);
      if (late !== undefined && isRemembered) report("PUB-2", `${tokenOf(landed)} was handled at ${late.atMs}, and had landed at ${landed.atMs}`);
      for (const [index, { node, atMs }] of runs.entries()) {
        const again = runs.slice(index + 1).find((run) => run.node === node && run.atMs < atMs + PREPARED_MS);
        if (again !== undefined && isRemembered) report("PUB-12", `${tokenOf(landed)} was handled twice by ${node}, at ${atMs} and ${again.atMs}`);
      }
    }
  }
}

/** QUE-2, QUE-3: where somebody is there who could, all that was left has been sent. */
function checkStorages({ actors }: Scene, report: Report): void {
  for (const { name, storage, presentPages } of actors) {
    if (presentPages.length > 0 && storage.publishCount > 0) report("QUE-3", `${storage.publishCount} publishes of ${name} are stored, and nobody sends them`);
  }
}

/** INV-2: each event that an application saw follows the last one, or a gap says that it does not. */
function checkChain(book: LogBook, { actor, channel, seen }: Seat, report: Report): void {
  let last: LastSeen | undefined;
  let isSubscribed = true;
  for (const one of seen) {
    switch (one.kind) {
      case "subscribed":
        isSubscribed = true;
        last = one.position;
        break;
      case "unsubscribed":
        isSubscribed = false;
        last = undefined;
        break;
      case "gap":
        if (last !== undefined && !samePosition(one.from, last)) report("INV-2", `${actor} on ${channel} was at ${show(last)} and is told of a gap from ${show(one.from)}`);
        last = one.to;
        isSubscribed = true;
        break;
      case "event": {
        const landed = book.at(channel, one.position).filter(({ eventId }) => eventId === one.eventId);
        if (landed.length === 0) report("INV-2", `${actor} on ${channel} saw ${one.eventId} at ${show(one.position)}, where it is not`);
        else if (last !== undefined && !landed.some((event) => follows(event, last))) {
          report("INV-2", `${actor} on ${channel} saw ${show(one.position)} after ${show(last)}`);
        }
        if (!isSubscribed) report("INV-2", `${actor} saw ${show(one.position)} of ${channel} without being subscribed`);
        last = { ...one.position, eventId: one.eventId };
        break;
      }
      default:
        one satisfies never;
    }
  }
}

/** Whether an event stands where the log goes on from what was seen. */
function follows({ epoch, prev, prevId }: Landed, last: LastSeen | undefined): boolean {
  return last !== undefined && samePosition({ epoch, seq: prev }, last) && (last.eventId === undefined || last.eventId === prevId);
}

/**
 * INV-3: a subscription sees no position and, while the log is the same one, no event twice. One that was ended and begun anew starts where
 * its node is, which may be a little before where the last one was.
 */
function checkOnce({ actor, channel, seen }: Seat, isRolledBack: boolean, report: Report): void {
  const positions = new Set<string>();
  const ids = new Set<string>();
  for (const one of seen) {
    // A log that lost its tail may bring what stood there once more, elsewhere: the gap says so.
    if (one.kind === "unsubscribed" || (one.kind === "gap" && isRolledBack)) {
      positions.clear();
      ids.clear();
    }
    if (one.kind !== "event") continue;
    const position = show(one.position);
    const id = `${one.position.epoch} ${one.eventId}`;
    if (positions.has(position)) report("INV-3", `${actor} on ${channel} saw ${position} twice`);
    else if (ids.has(id)) report("INV-3", `${actor} on ${channel} saw ${one.eventId} twice`);
    positions.add(position);
    ids.add(id);
  }
}

/** SUB-4, REC-10: nothing that landed after a permission was withdrawn reaches the user before it is given again. */
function checkBans({ book, host }: Scene, { user, seats }: Page, report: Report): void {
  for (const ban of host.permits.bans) {
    if (ban.user !== user) continue;
    for (const { actor, channel, seen } of seats) {
      if (channel !== ban.channel) continue;
      for (const one of seen) {
        if (one.kind === "unsubscribed" || one.atMs < ban.fromMs || one.atMs >= ban.toMs) continue;
        const position = one.kind === "gap" ? one.to : one.position;
        const [landed] = position === undefined ? [] : book.at(channel, position);
        if (landed !== undefined && landed.atMs > ban.fromMs) report("SUB-4", `${actor} saw ${show(position)} of ${channel}, which landed after the permission was withdrawn`);
      }
    }
  }
}

/** INV-5: every subscriber is live and at the head, and every state is the reduction of the log. */
async function checkHeads({ actors, book, broker, faults }: Scene, report: Report): Promise<void> {
  for (const { name, hasState } of channels) {
    const { position: head } = await broker.log.head(name);
    const state = hasState ? JSON.stringify(reduce(book.events(name, head.epoch))) : undefined;
    const truth: Truth = { head, state, mayShowMore: faults.has("broker-rolled-back") };
    for (const { client, process, seats } of actors.flatMap(({ presentPages }) => presentPages)) {
      const { status, reason } = client.connection.getSnapshot();
      if (status !== "connected") report("INV-5", `${process.name} is ${status}: ${reason?.code ?? "no reason"}`);
      for (const seat of seats) if (seat.channel === name && seat.isTaken) checkSeat(seat, truth, report);
    }
  }
}

interface Truth {
  readonly head: Position;
  /** The state of the log, where the channel has one. */
  readonly state: string | undefined;
  /** What was acknowledged and lost with the tail of a log is shown until the log has come as far again. */
  readonly mayShowMore: boolean;
}

function checkSeat({ actor, channel, room, status, seen }: Seat, { head, state: expected, mayShowMore }: Truth, report: Report): void {
  const who = `${actor} on ${channel}`;
  if (status !== "live") report("INV-5", `${who} is ${status}`);
  const pendingCount = room.pendingCount();
  if (pendingCount > 0) report("INV-5", `${who} still has ${pendingCount} pending`);
  const position = room.position();
  if (position === undefined || !samePosition(position, head)) report("INV-5", `${who} is at ${show(position)}, the head is ${show(head)}`);
  const newest = seen.at(-1);
  const told = newest?.kind === "event" ? newest.position : newest?.kind === "gap" ? newest.to : undefined;
  if (told !== undefined && !samePosition(told, head)) report("INV-5", `${who} was told of ${show(told)} last, the head is ${show(head)}`);
  if (expected === undefined) return;
  const canonical = JSON.stringify(room.canonical());
  if (canonical !== expected) report("INV-5", `${who} has the state ${canonical}, the log's is ${expected}`);
  const shown = JSON.stringify(room.shown());
  if (pendingCount === 0 && shown !== canonical && !mayShowMore) report("INV-5", `${who} shows ${shown}, though nothing is pending`);
}

function reduce(events: readonly Landed[]): Ledger {
  const { initial, reduce: step } = contract.definition.channels["board:{id}"].state ?? { initial: { count: 0, chain: 0, latest: [] } };
  let state: Ledger = initial;
  for (const event of events) {
    try {
      state = step?.(state, event as Parameters<NonNullable<typeof step>>[1]) ?? state;
    } catch {
      // Skipped, as the contract says.
    }
  }
  return state;
}

/** INV-7: everybody who watches sees exactly those who mean to be there, as they mean to be seen. */
function checkPresence({ actors }: Scene, report: Report): void {
  for (const { name } of channels) {
    const pages = actors.flatMap(({ presentPages }) => presentPages);
    const seats = pages.map(({ client, seats: all }) => ({
      session: client.connection.getSnapshot().session,
      seat: all.find(({ channel }) => channel === name),
    }));
    const truth = seats.flatMap(({ session, seat }) => (seat?.mood === undefined ? [] : [`${session} ${seat.mood}`]));
    const expected = truth.toSorted().join(", ");
    for (const { session, seat } of seats) {
      if (seat === undefined || !seat.isTaken) continue;
      const seen = seat.room.members().map((member) => `${member.session} ${member.mood}`);
      const actual = seen.toSorted().join(", ");
      if (actual !== expected) report("INV-7", `${seat.actor} sees [${actual}] on ${name}, there are [${expected}]`);
      if (session !== undefined && seat.signallers.has(session)) report("SIG-5", `${seat.actor} heard a signal of their own on ${name}`);
    }
  }
}

/** INV-6: nothing grew over its bound. */
function checkBounds({ highWater, faults }: Scene, report: Report): void {
  // What the simulation itself repeats comes on top of what the server has bounded.
  if (highWater.outbox > FRAMING && !faults.has("frames-repeated")) report("INV-6", `an outbox was at ${highWater.outbox.toFixed(2)} of its bound`);
  if (highWater.queueCount > QUEUE_COUNT_MAX) report("INV-6", `an outbound queue held ${highWater.queueCount}`);
}
