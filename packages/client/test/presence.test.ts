import type { Member } from "@tutti/protocol";
import { describe, expect, it } from "vitest";
import { at } from "./support/fake-server.js";
import { outcome, Stage } from "./support/stage.js";

const member = (session: string, user?: string, changes: Partial<Member> = {}): Member => ({ session, activity: "active", since: 1, state: { mood: session }, ...(user !== undefined && { user }), ...changes });
const list = (...members: readonly Member[]) => ({ op: "presence", channel: "board:1", members, complete: true }) as const;
const change = (type: "presence:join" | "presence:update" | "presence:leave", one: Member) => ({ op: "presence", channel: "board:1", changes: [{ type, member: one }] }) as const;

/** Who is here, in words: `ada: phone, tablet (away)`. */
const people = (stage: Stage): readonly string[] =>
  stage.board.presence.getSnapshot().people.map(({ key, away, devices }) => `${key}${away ? " (away)" : ""}: ${devices.map((device) => `${device.session}${device.self ? " (self)" : ""}${device.away ? " (away)" : ""}`).join(", ")}`);

/** What the server was told of this client's own entry, on this connection: `undefined` is a leave. */
const membersTold = (stage: Stage): readonly unknown[] => stage.link.of("presence").map((frame) => frame.member);

function hear(stage: Stage): readonly string[] {
  const heard: string[] = [];
  for (const type of ["presence:join", "presence:update", "presence:leave"] as const) stage.board.on(type, (notice) => heard.push(`${notice.type} ${notice.session} ${notice.state.mood}`));
  return heard;
}

describe("presence", () => {
  it("PRE-3: somebody on several devices counts once, with each device visible", () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    stage.link.say(list(member("phone", "ada"), member("public"), member("tablet", "ada", { away: true }), member("pc", "bob", { away: true })));
    expect(people(stage)).toEqual(["ada: phone, tablet (away)", "public: public (self)", "bob (away): pc (away)"]);
  });

  it("PRE-3: somebody without a name is not taken for a user who is called like the session", () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    stage.link.say(list(member("x"), member("y", "x")));
    expect(people(stage)).toEqual(["x: x", "x: y"]);
  });

  it("PRE-5: joins, updates and leaves are told, and the first list is no news", () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    const heard = hear(stage);
    stage.link.say(list(member("a")));
    stage.link.say(change("presence:join", member("b")));
    stage.link.say(change("presence:update", member("b", undefined, { state: { mood: "glad" } })));
    stage.link.say(change("presence:leave", member("a")));
    expect(heard).toEqual(["presence:join b b", "presence:update b glad", "presence:leave a a"]);
    expect(people(stage)).toEqual(["b: b"]);
  });

  it("PRE-4: a whole list in place of missed changes tells what is different", () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    const heard = hear(stage);
    stage.link.say(list(member("a"), member("b"), member("c")));
    stage.link.say(list(member("b"), member("c", undefined, { state: { mood: "glad" } }), member("d")));
    expect(heard).toEqual(["presence:leave a a", "presence:update c glad", "presence:join d d"]);
  });

  it("PRE-2: a reconnect in time shows no leave", () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    const heard = hear(stage);
    stage.link.say(list(member("a")));
    expect(stage.board.presence.getSnapshot().complete).toBe(true);
    stage.link.cut();
    expect(stage.board.presence.getSnapshot()).toMatchObject({ complete: false, people: [{ key: "a" }] });
    stage.environment.pass(1_000);
    stage.welcome();
    stage.link.say(list(member("a")));
    expect(heard).toEqual([]);
    expect(stage.board.presence.getSnapshot().complete).toBe(true);
  });

  it("PRE-1: enters with the subscription, changes, leaves, and is gone after unsubscribe", async () => {
    const stage = new Stage().live({ position: at(0) }, { presence: { state: { mood: "calm" } } });
    expect(stage.link.last("subscribe")).toMatchObject({ presence: true, member: { mood: "calm" } });
    const updated = stage.board.presence.update({ mood: "glad" });
    expect(stage.link.last("presence")).toMatchObject({ channel: "board:1", member: { mood: "glad" } });
    stage.link.answer(stage.link.last("presence"));
    expect(await outcome(updated)).toBeUndefined();
    const left = stage.board.presence.leave();
    expect(stage.link.last("presence")).not.toHaveProperty("member");
    stage.link.answer(stage.link.last("presence"));
    expect(await outcome(left)).toBeUndefined();
    stage.link.say(list(member("a")));
    void stage.board.unsubscribe();
    expect(people(stage)).toEqual([]);
  });

  it("PRE-1: of several updates the newest is what all promises wait for", async () => {
    const stage = new Stage().live();
    const updates = ["a", "b", "c"].map((mood) => stage.board.presence.update({ mood }));
    const [first, , third] = stage.link.of("presence");
    stage.link.answer(first!);
    expect(await outcome(updates[0]!)).toBe("waits");
    stage.link.answer(third!);
    expect(await Promise.all(updates.map(outcome))).toEqual([undefined, undefined, undefined]);
  });

  it("PRE-1: entering is refused where the channel is not subscribed, and against the schema", async () => {
    const stage = new Stage().connect();
    expect(await outcome(stage.board.presence.enter({ mood: "calm" }))).toBe("NOT_SUBSCRIBED");
    stage.live();
    expect(await outcome(stage.board.presence.enter({} as { mood: string }))).toBe("PAYLOAD_INVALID");
    const refused = stage.board.presence.enter({ mood: "calm" });
    stage.link.refuse(stage.link.last("presence"), "FORBIDDEN");
    expect(await outcome(refused)).toBe("FORBIDDEN");
    stage.reconnect();
    expect(stage.link.last("subscribe")).not.toHaveProperty("member");
  });

  it("PRE-6: an entry that is refused ends, and what was entered before it with it", async () => {
    const stage = new Stage().live({ position: at(0) }, { presence: { state: { mood: "calm" } } });
    const refused = stage.board.presence.update({ mood: "wild" });
    stage.link.refuse(stage.link.last("presence"), "FORBIDDEN");
    expect(await outcome(refused)).toBe("FORBIDDEN");
    expect(membersTold(stage)).toEqual([{ mood: "wild" }, undefined]);
    stage.link.refuse(stage.link.last("presence"), "LIMIT_EXCEEDED");
    expect(membersTold(stage)).toHaveLength(2);
    stage.reconnect();
    expect(stage.link.last("subscribe")).not.toHaveProperty("member");
  });

  it("PRE-6: an entry that cannot be sent ends what was entered before it", async () => {
    const stage = new Stage().live({ position: at(0) }, { presence: { state: { mood: "calm" } } });
    expect(await outcome(stage.board.presence.update({ mood: "x".repeat(100_000) }))).toBe("MESSAGE_TOO_LARGE");
    expect(membersTold(stage)).toEqual([undefined]);
    stage.reconnect();
    expect(stage.link.last("subscribe")).not.toHaveProperty("member");
  });

  it("PRE-6: who enters again after a refusal is there", async () => {
    const stage = new Stage().live();
    const refused = stage.board.presence.enter({ mood: "wild" });
    stage.link.refuse(stage.link.last("presence"), "FORBIDDEN");
    expect(await outcome(refused)).toBe("FORBIDDEN");
    const entered = stage.board.presence.enter({ mood: "calm" });
    expect(membersTold(stage)).toEqual([{ mood: "wild" }, undefined, { mood: "calm" }]);
    for (const frame of stage.link.of("presence").slice(1)) stage.link.answer(frame);
    expect(await outcome(entered)).toBeUndefined();
    stage.reconnect();
    expect(stage.link.last("subscribe").member).toEqual({ mood: "calm" });
  });

  it("CON-7: what was entered while offline is told by the next subscription, and a refusal for now is tried again", async () => {
    const stage = new Stage().live();
    stage.link.cut();
    const entered = stage.board.presence.enter({ mood: "calm" });
    stage.environment.pass(1_000);
    stage.welcome();
    expect(stage.link.last("subscribe")).toMatchObject({ member: { mood: "calm" } });
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    expect(await outcome(entered)).toBeUndefined();
    const updated = stage.board.presence.update({ mood: "glad" });
    stage.link.refuse(stage.link.last("presence"), "RATE_LIMITED", 500);
    stage.environment.pass(500);
    expect(stage.link.of("presence")).toHaveLength(2);
    stage.link.answer(stage.link.last("presence"));
    expect(await outcome(updated)).toBeUndefined();
  });

  it("PRE-1: an entry that is not meant any more is not entered again: the server ends it", async () => {
    const stage = new Stage().live({ position: at(0) }, { presence: { state: { mood: "calm" } } });
    stage.link.cut();
    await stage.board.presence.leave();
    stage.environment.pass(1_000);
    stage.welcome();
    expect(stage.link.last("subscribe")).not.toHaveProperty("member");
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    expect(stage.link.of("presence")).toHaveLength(0);
  });

  it("PRE-1: the list is not complete before everybody is known", () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    const isComplete = () => stage.board.presence.getSnapshot().complete;
    expect(isComplete()).toBe(false);
    stage.link.say({ ...list(member("a")), complete: false });
    stage.link.say(change("presence:join", member("b")));
    expect(isComplete()).toBe(false);
    stage.link.say({ ...change("presence:join", member("c")), complete: true });
    expect(isComplete()).toBe(true);
    stage.link.say(change("presence:leave", member("c")));
    expect([isComplete(), people(stage)]).toEqual([true, ["a: a", "b: b"]]);
  });

  it("PRE-2: somebody is away when the last device is", () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    stage.link.say(list(member("phone", "ada", { away: true }), member("pc", "ada")));
    expect(people(stage)).toEqual(["ada: phone (away), pc"]);
    stage.link.say(change("presence:update", member("pc", "ada", { away: true })));
    expect(people(stage)).toEqual(["ada (away): phone (away), pc (away)"]);
  });

  it("PRE-3: somebody stays while one device does", () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    stage.link.say(list(member("phone", "ada"), member("pc", "ada")));
    stage.link.say(change("presence:leave", member("phone", "ada")));
    expect(people(stage)).toEqual(["ada: pc"]);
  });

  it("PRE-5: who hears a notice finds the list that it belongs to, and the user in the notice", () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    stage.link.say(list());
    const seen: unknown[] = [];
    stage.board.on("presence:join", (notice) => seen.push([notice, people(stage).length]));
    const changes = ["a", "b"].map((name) => ({ type: "presence:join", member: member(name, `user ${name}`) }) as const);
    stage.link.say({ op: "presence", channel: "board:1", changes });
    expect(seen).toEqual(["a", "b"].map((name) => [{ type: "presence:join", session: name, user: `user ${name}`, state: { mood: name } }, 2]));
  });

  it("PRE-1: who left unseen while there was no connection is told of after it", () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    stage.link.say(list(member("a"), member("b")));
    const heard = hear(stage);
    stage.reconnect();
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    stage.link.say(list(member("b")));
    expect(heard).toEqual(["presence:leave a a"]);
  });

  it("PRE-1: nobody is here after an end by the server, and what comes after an unsubscribe changes nothing", () => {
    const stage = new Stage().live({ position: at(0) }, { presence: true });
    void stage.board.unsubscribe();
    stage.link.say(list(member("a")));
    expect(people(stage)).toEqual([]);
    const kicked = new Stage().live({ position: at(0) }, { presence: true });
    kicked.link.say(list(member("a")));
    kicked.link.say({ op: "left", channel: "board:1", error: { code: "KICKED", message: "" } });
    expect(kicked.board.presence.getSnapshot()).toEqual({ complete: false, people: [] });
  });

  it("PRE-1: is asked for by those who want it alone", () => {
    const stage = new Stage().live();
    expect(stage.link.last("subscribe").presence).toBeUndefined();
    void stage.board.subscribe({ presence: true });
    expect(stage.link.last("subscribe")).toMatchObject({ presence: true, since: at(0) });
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    stage.reconnect();
    expect(stage.link.last("subscribe").presence).toBe(true);
  });

  it("PRE-1: what is entered while the subscription is under way waits for it, and goes with it where it can", async () => {
    const stage = new Stage();
    void stage.board.subscribe();
    const done = stage.board.presence.enter({ mood: "calm" });
    stage.welcome();
    expect(stage.link.last("subscribe").member).toEqual({ mood: "calm" });
    expect(await outcome(done)).toBe("waits");
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    expect(await outcome(done)).toBeUndefined();
    expect(stage.link.of("presence").map((frame) => frame.member)).toEqual([]);
  });

  it("PRE-1: an entry that changed while its subscription was under way is told when it is live", async () => {
    const stage = new Stage().connect();
    void stage.board.subscribe({ presence: { state: { mood: "calm" } } });
    const done = stage.board.presence.update({ mood: "wild" });
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    expect(stage.link.of("presence").map((frame) => frame.member)).toEqual([{ mood: "wild" }]);
    stage.link.answer(stage.link.last("presence"));
    expect(await outcome(done)).toBeUndefined();
  });

  it("PRE-1: an entry that was left while its subscription was under way is taken back", async () => {
    const stage = new Stage().connect();
    void stage.board.subscribe({ presence: { state: { mood: "calm" } } });
    void stage.board.presence.leave();
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    expect(stage.link.of("presence").map((frame) => frame.member)).toEqual([undefined]);
  });

  it("PRE-1: an entry that was told when the connection ended waits for the next one", async () => {
    const stage = new Stage().live();
    const done = stage.board.presence.enter({ mood: "calm" });
    stage.reconnect();
    expect(await outcome(done)).toBe("waits");
    expect(stage.link.last("subscribe").member).toEqual({ mood: "calm" });
    stage.link.answer(stage.link.last("subscribe"), { position: at(0) });
    expect(await outcome(done)).toBeUndefined();
  });

  it("PRE-1: an entry ends with the subscription, and does not come back with the next one", async () => {
    const stage = new Stage().live({ position: at(0) }, { presence: { state: { mood: "calm" } } });
    void stage.board.unsubscribe();
    void stage.board.subscribe();
    expect(stage.link.last("subscribe").member).toBeUndefined();
    expect(stage.link.last("subscribe").presence).toBeUndefined();
    const kicked = new Stage().live();
    const done = kicked.board.presence.enter({ mood: "calm" });
    kicked.link.say({ op: "left", channel: "board:1", error: { code: "KICKED", message: "" } });
    expect(await outcome(done)).toBe("KICKED");
  });
});
