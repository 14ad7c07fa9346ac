import { samePosition, type LastSeen } from "@tutti/protocol";
import type { Landed, LogBook } from "./log-book.js";
import type { Page } from "./page.js";
import type { Scene } from "./scene.js";
import type { Seat } from "./seat.js";
import { show, type Report } from "./violation.js";

/** What applications saw: in order, without a silent hole, once, and not without permission. */
export function checkSights(scene: Scene, report: Report): void {
  for (const page of scene.actors.flatMap(({ pages }) => pages)) {
    for (const seat of page.seats) {
      checkChain(scene.book, seat, report);
      checkOnce(seat, scene.faults.has("broker-rolled-back"), report);
    }
    checkBans(scene, page, report);
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
function checkBans({ book, cluster }: Scene, { user, seats }: Page, report: Report): void {
  for (const ban of cluster.permits.bans) {
    if (ban.user !== user) continue;
    for (const { actor, channel, seen } of seats) {
      if (channel !== ban.channel) continue;
      for (const one of seen) {
        if (one.kind === "unsubscribed" || one.atMs < ban.fromMs || one.atMs >= ban.toMs) continue;
        const position = one.kind === "gap" ? one.to : one.position;
        // A log that lost its tail gives the place away again, later.
        const landed = position === undefined ? undefined : book.at(channel, position).find(({ atMs }) => atMs <= one.atMs);
        if (landed !== undefined && landed.atMs > ban.fromMs) report("SUB-4", `${actor} saw ${show(position)} of ${channel}, which landed after the permission was withdrawn`);
      }
    }
  }
}
