import { samePosition, type Position } from "@tutti/protocol";
import { channels, contract, type Ledger } from "./contract.js";
import type { Landed } from "./log-book.js";
import type { FaultName } from "./faults.js";
import { QUEUE_COUNT_MAX } from "./page.js";
import { checkPublishing } from "./publishing.js";
import type { Scene } from "./scene.js";
import type { Seat } from "./seat.js";
import { doubledSessions } from "./session-watch.js";
import { checkSights } from "./sights.js";
import { show, type Report, type Violation } from "./violation.js";

/** Faults by which a node does not hear in time, or never, that a session has a connection elsewhere. */
const HINDERING_CLAIMS: readonly FaultName[] = [
  "broker-refuses",
  "broker-answers-lost",
  "broker-hangs",
  "broker-restart",
  "broker-data-lost",
  "broker-rolled-back",
  "broker-cut",
  "wedged",
  "broadcasts-lost",
  "server-freeze",
  "node-freeze",
  "month",
];
/** What the transport adds to each message is no part of the bound. */
const FRAMING = 1.1;

/** All that does not hold of a run that has settled. */
export async function violationsOf(scene: Scene): Promise<readonly Violation[]> {
  await scene.broker.settle();
  const violations: Violation[] = [];
  const report: Report = (rule, what) => violations.push({ rule, what });
  for (const { error, participant } of scene.clock.escapedErrors) report("ESCAPED", `${participant}: ${String(error)}`);
  for (const fault of scene.wireFaults) report("FAN-3", fault);
  checkPublishing(scene, report);
  checkSights(scene, report);
  if (!scene.faults.has("commit-only")) for (const loss of scene.book.losses) report("LOG-2", loss);
  await checkHeads(scene, report);
  checkStorages(scene, report);
  checkPresence(scene, report);
  checkSessions(scene, report);
  checkBounds(scene, report);
  return violations;
}

/** QUE-2, QUE-3: where somebody is there who could, all that was left has been sent. */
function checkStorages({ actors }: Scene, report: Report): void {
  for (const { name, storage, presentPages } of actors) {
    if (presentPages.length > 0 && storage.publishCount > 0) report("QUE-3", `${storage.publishCount} publishes of ${name} are stored, and nobody sends them`);
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
    for (const { seat } of seats) {
      if (seat === undefined || !seat.isTaken) continue;
      const { isComplete, members } = seat.room.attendance();
      if (!isComplete) report("INV-7", `${seat.actor} does not know who all is on ${name}`);
      const seen = members.map(({ session, mood, isAway }) => `${session} ${mood}${isAway ? " away" : ""}`);
      const actual = seen.toSorted().join(", ");
      if (actual !== expected) report("INV-7", `${seat.actor} sees [${actual}] on ${name}, there are [${expected}]`);
      if (seat.heardItself) report("SIG-5", `${seat.actor} heard a signal of their own on ${name}`);
    }
  }
}

/** INV-9: of each session one connection is left, at one node. */
function checkSessions({ cluster, sessionFaults, faults }: Scene, report: Report): void {
  for (const [session, places] of doubledSessions(cluster.nodes)) report("INV-9", `${session} has connections at ${places.join(" and ")}`);
  for (const { process, server } of cluster.nodes) {
    const { connections, sessions } = server.stats();
    if (connections !== sessions) report("INV-9", `${process.name} has ${connections} connections of ${sessions} sessions`);
  }
  if (!HINDERING_CLAIMS.some((fault) => faults.has(fault))) for (const fault of sessionFaults) report("INV-9", fault);
}

/** INV-6: nothing grew over its bound. */
function checkBounds({ highWater, faults }: Scene, report: Report): void {
  // What the simulation itself repeats comes on top of what the server has bounded.
  const isRepeated = faults.has("frames-repeated") || faults.has("replies-repeated");
  if (highWater.outbox > FRAMING && !isRepeated) report("INV-6", `an outbox was at ${highWater.outbox.toFixed(2)} of its bound`);
  if (highWater.queueCount > QUEUE_COUNT_MAX) report("INV-6", `an outbound queue held ${highWater.queueCount}`);
}
