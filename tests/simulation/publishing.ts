import { samePosition } from "@tutti/protocol";
import { ANNOUNCER } from "./announcer.js";
import { channels } from "./contract.js";
import type { FaultName } from "./faults.js";
import type { Landed, LogBook } from "./log-book.js";
import type { PublishRecord } from "./record.js";
import type { Scene } from "./scene.js";
import { show, type Report } from "./violation.js";

/** Codes that leave the fate of a publish open. */
const OPEN_FATES: ReadonlySet<string> = new Set(["OUTCOME_UNKNOWN", "CLIENT_CLOSED", "TIMEOUT"]);

/** Faults after which what was acknowledged may be gone. */
const LOSING_DATA: readonly FaultName[] = ["broker-data-lost", "broker-rolled-back", "commit-only"];
/** Faults after which a client may have to give up what it attempted without knowing its fate. */
const LOSING_SIGHT: readonly FaultName[] = ["month", "user-changes", "page-cache"];

/** A node may ask whether a publish is known, hear no, and stand still for so long before it asks the handler. */
const UNDER_WAY_MS = 12_000;
/** The same where nodes stand still for long. */
const FROZEN_MS = 35_000;
/** Less than for how long a node keeps what a handler made: its clock may run fast. */
const PREPARED_MS = 55_000;

/** What landed of each publish, by its token; once for all courses of the log that have it. */
type Landings = ReadonlyMap<string, readonly Landed[]>;

/** What became of publishes: in the log, once, in order, as their publisher, and by one run of the handler. */
export function checkPublishing(scene: Scene, report: Report): void {
  // What was lost may be handled again, and so may what was forgotten.
  const isRemembered = ![...LOSING_DATA, "month" as const].some((fault) => scene.faults.has(fault));
  const publishes = [...scene.actors, scene.announcer].flatMap((publisher) => publisher.publishes);
  for (const { name } of channels) {
    const landings = landingsIn(scene.book, name);
    checkPublishes(scene, name, publishes, landings, report);
    if (isRemembered) checkRepeats(scene, landings, report);
    checkCounts(scene.book, name, report);
    // A page that comes back from the cache may find that another took its session over, and goes on as a new one.
    if (!scene.faults.has("page-cache")) checkOrderOfPublishers(scene, name, report);
  }
  if (isRemembered) checkHandlings(scene, report);
}

function landingsIn(book: LogBook, channel: string): Landings {
  const landings = new Map<string, Landed[]>();
  for (const landed of new Set(book.courses(channel).flatMap(({ events }) => events))) {
    const token = tokenOf(landed);
    const others = landings.get(token);
    if (others === undefined) landings.set(token, [landed]);
    else others.push(landed);
  }
  return landings;
}

function tokenOf({ payload }: Landed): string {
  return (payload as { readonly token: string }).token;
}

/** INV-1: an acked publish landed once, where the ack says. INV-4: any other landed at most once, and a refused one never. */
function checkPublishes({ book, faults }: Scene, name: string, publishes: readonly PublishRecord[], landings: Landings, report: Report): void {
  const losesData = LOSING_DATA.some((fault) => faults.has(fault));
  const mayBeUnknown = losesData || LOSING_SIGHT.some((fault) => faults.has(fault));
  for (const { channel, item, user, result, isOrphaned } of publishes) {
    if (channel !== name) continue;
    const landed = landings.get(item.token) ?? [];
    const where = landed.map(show).join(", ");
    // A broker that lost what it had promises nothing of that: the same publish may land again in its next life.
    const isOnce = losesData ? book.courses(name).every(({ events }) => landed.filter((one) => events.includes(one)).length <= 1) : landed.length <= 1;
    if (!isOnce) report(result.result === "acked" ? "INV-1" : "INV-4", `${item.token} landed at ${where}`);
    if (landed.some((one) => one.user !== user)) report("QUE-4", `${item.token} of ${user} landed as one of ${landed.map((one) => one.user).join(", ")}`);
    if (result.result === "acked") {
      const { position, eventId } = result;
      // A disk that fails makes epochs in which nothing lands, and all that was there before stands where it stood.
      const isThere = landed.some((one) => one.eventId === eventId && (samePosition(one, position) || (faults.has("commit-only") && one.seq === position.seq)));
      if (!isThere) report("INV-1", `${item.token} was acknowledged at ${show(position)}, and landed at ${where || "no place"}`);
    }
    // What landed in a log that was lost may be refused in the next one.
    const standing = losesData ? landed.filter((one) => book.courses(name).at(-1)?.events.includes(one)) : landed;
    if (result.result === "refused" && standing.length > 0 && !OPEN_FATES.has(result.code)) {
      report("INV-4", `${item.token} was refused with ${result.code}, and landed at ${where}`);
    }
    // The log of a run is short: a broker that has its data knows what became of everything, unless it was asked too late, or by somebody else.
    if (result.result === "refused" && result.code === "OUTCOME_UNKNOWN" && !mayBeUnknown) {
      report("PUB-7", `${item.token} is said to be unknown, and landed at ${where || "no place"}`);
    }
    if (result.result === "pending" && !isOrphaned) report("INV-5", `${item.token} is still not answered`);
  }
}

/** INV-8: what one publisher published stands in the log in its order. */
function checkOrderOfPublishers({ book, faults }: Scene, channel: string, report: Report): void {
  // A key that was lost is new to the broker, and a node that stood still may bring it after the next one.
  const areKeysKept = !LOSING_DATA.some((fault) => faults.has(fault));
  for (const { events } of book.courses(channel)) {
    const latest = new Map<string, number>();
    for (const landed of events) {
      const [publisher = "", , count = ""] = tokenOf(landed).split("/");
      if (publisher === ANNOUNCER && !areKeysKept) continue;
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

/** PUB-2: where a publish is in the log already, nobody asks the handler. */
function checkRepeats({ handlings, faults }: Scene, landings: Landings, report: Report): void {
  const underWayMs = faults.has("node-freeze") ? FROZEN_MS : UNDER_WAY_MS;
  for (const [token, landed] of landings) {
    const landedAtMs = Math.min(...landed.map(({ atMs }) => atMs));
    const late = handlings.of(token).find(({ atMs }) => atMs > landedAtMs + underWayMs);
    if (late !== undefined) report("PUB-2", `${token} was handled at ${late.atMs}, and had landed at ${landedAtMs}`);
  }
}

/** PUB-12: a node asks the handler once. */
function checkHandlings({ handlings }: Scene, report: Report): void {
  for (const runs of handlings.all()) {
    for (const [index, { node, token, atMs }] of runs.entries()) {
      const again = runs.slice(index + 1).find((run) => run.node === node && run.atMs < atMs + PREPARED_MS);
      if (again !== undefined) report("PUB-12", `${token} was handled twice by ${node}, at ${atMs} and ${again.atMs}`);
    }
  }
}
