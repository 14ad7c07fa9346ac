import { describe, expect, it } from "vitest";
import type { Connection } from "../src/connections/connection.js";
import { Sessions } from "../src/sessions/sessions.js";

/** Only who it is counts here. */
const connection = (): Connection => Object.create(null);

describe("the connections that have said hello", () => {
  it("SRV-2 are found by session and by user, until they are gone", () => {
    const sessions = new Sessions();
    const [phone, laptop, nobody] = [connection(), connection(), connection()];
    sessions.add(phone, { session: "s1", user: { id: "ada" } });
    sessions.add(laptop, { session: "s2", user: { id: "ada" } });
    sessions.add(nobody, { session: "s3", user: undefined });
    expect(sessions.of({ user: "ada" })).toEqual([phone, laptop]);
    expect(sessions.of({ session: "s3" })).toEqual([nobody]);
    sessions.remove(phone, { session: "s1", user: { id: "ada" } });
    expect(sessions.of({ user: "ada" })).toEqual([laptop]);
    sessions.remove(laptop, { session: "s2", user: { id: "ada" } });
    sessions.remove(nobody, { session: "s3", user: undefined });
    expect([...sessions.of({ user: "ada" }), ...sessions.of({ session: "s3" }), ...sessions.all()]).toEqual([]);
    expect(sessions.size).toBe(0);
  });

  it("HEL-5 are not forgotten with the one that they replaced", () => {
    const sessions = new Sessions();
    const [first, second] = [connection(), connection()];
    sessions.add(first, { session: "s1", user: undefined });
    sessions.add(second, { session: "s1", user: undefined });
    sessions.remove(first, { session: "s1", user: undefined });
    expect(sessions.get("s1")).toBe(second);
  });
});
