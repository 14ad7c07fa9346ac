import type { Member } from "@tutti/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Peer } from "./support/peer.js";
import { rooms } from "./support/rooms.js";
import { World } from "./support/world.js";

const room = "room:1";

type Act = "enter" | "update" | "leave" | "unsubscribe" | "resubscribe" | "drop" | "bye" | "return" | "idle" | "active" | "kick";

const acts = fc.constantFrom<Act>("enter", "update", "leave", "unsubscribe", "resubscribe", "drop", "bye", "return", "idle", "active", "kick");
const moment = fc.oneof(
  { weight: 5, arbitrary: fc.record({ who: fc.nat(2), act: acts }) },
  { weight: 2, arbitrary: fc.record({ passMs: fc.constantFrom(0, 0, 1_000, 6_000) }) },
  { weight: 1, arbitrary: fc.record({ isStalled: fc.boolean() }) },
);

/** What a client makes of the lists and changes that came, in order. */
function membersSeenBy(watcher: Peer): Member[] {
  const seen = new Map<string, Member>();
  for (const { members, changes = [] } of watcher.of("presence")) {
    if (members !== undefined) seen.clear();
    for (const member of members ?? []) seen.set(member.session, member);
    for (const { type, member } of changes) {
      // A join of somebody who is here, or an update of somebody who is not, would be a notice that nobody can explain.
      expect(seen.has(member.session)).toBe(type !== "presence:join");
      if (type === "presence:leave") seen.delete(member.session);
      else seen.set(member.session, member);
    }
  }
  return [...seen.values()];
}

const bySession = (members: readonly Member[]): Member[] => members.toSorted((a, b) => a.session.localeCompare(b.session));

describe("whoever watches", () => {
  it("PRE-4 ends up with the truth, whoever comes, goes, breaks and comes back, and however slow the watcher is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(moment, { maxLength: 40 }), async (moments) => {
        const world = new World({ contract: rooms, outboxBytesMax: 2_500 });
        // By now it would have heard of other nodes.
        await world.advance(2_000);
        const handle = world.server.channel("room:{id}", { id: "1" });
        const watcher = await world.peer();
        await watcher.subscribe(room, { presence: true });
        const secrets = [0, 1, 2].map((who) => `${who}`.padEnd(22, "-"));
        const peers = await Promise.all(secrets.map((each) => world.peer({ secret: each })));
        for (const [index, each] of moments.entries()) {
          if ("passMs" in each) {
            watcher.events.alive();
            await world.advance(each.passMs);
          } else if ("isStalled" in each) {
            if (each.isStalled) watcher.transport.stall();
            else watcher.transport.drain(watcher.events);
          } else {
            const peer = peers[each.who]!;
            await act(each.act, peer, `${index}`);
            if (each.act === "return") peers[each.who] = await world.peer({ secret: secrets[each.who]! });
            if (each.act === "kick") void handle.kick({ session: world.sessionOf(peer) }, "off");
          }
        }
        watcher.transport.drain(watcher.events);
        await world.settle();
        if (watcher.closeCode !== undefined) return;
        expect(bySession(membersSeenBy(watcher))).toEqual(bySession(handle.members()));
        for (const peer of peers) peer.drop();
        await world.advance(10_000);
        expect(membersSeenBy(watcher)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});

async function act(which: Act, peer: Peer, name: string): Promise<void> {
  if (which === "drop") peer.drop();
  else if (which === "bye") peer.send({ op: "bye" });
  else if (which === "idle" || which === "active") peer.send({ op: "activity", activity: which });
  else if (which === "enter") peer.request({ op: "subscribe", channel: room, member: { name } });
  else if (which === "resubscribe") peer.request({ op: "subscribe", channel: room });
  else if (which === "update") peer.request({ op: "presence", channel: room, member: { name } });
  else if (which === "leave") peer.request({ op: "presence", channel: room });
  else if (which === "unsubscribe") peer.request({ op: "unsubscribe", channel: room });
  // Now and then all of it in one turn.
  await Promise.resolve();
}
