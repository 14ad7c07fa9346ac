import { TuttiError, type LastSeen } from "@tutti/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatCursor, parseCursor } from "../src/http/cursor.js";
import { readEventsQuery } from "../src/http/queries.js";

const epoch = fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/);
const seq = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const eventId = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).filter((id) => id.length <= 128);

function codeOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return error instanceof TuttiError ? `${error.code} ${error.field}` : "another error";
  }
}

function query(text: string, headers: Readonly<Record<string, string>> = {}) {
  return readEventsQuery({ query: new URLSearchParams(text), headers }, 60_000);
}

describe("a position in a URL", () => {
  it("HTTP-6 HTTP-18 is ASCII without a space, and is read as it was written, whatever the event's id", () => {
    fc.assert(
      fc.property(epoch, seq, fc.option(eventId, { nil: undefined }), (inEpoch, at, id) => {
        const last: LastSeen = { epoch: inEpoch, seq: at, ...(id !== undefined && { eventId: id }) };
        const text = formatCursor(last);
        expect(text).toMatch(/^[!-~]+$/);
        expect(parseCursor(text, "since")).toEqual(last);
      }),
    );
  });

  it("HTTP-6 HTTP-18 stands as it is in a query where the id is one of Tutti's, and escaped where it is another", () => {
    fc.assert(
      fc.property(epoch, seq, eventId, (inEpoch, at, id) => {
        const text = formatCursor({ epoch: inEpoch, seq: at, eventId: id });
        expect(query(`since=${encodeURIComponent(text)}`).since).toEqual({ epoch: inEpoch, seq: at, eventId: id });
      }),
    );
    for (const id of ["AbC_-123:42", "key:0123456789abcdefghijkl", "8e03978e-40d5-43e8-bc93-6894a57f9324"]) {
      const last = { epoch: "e1", seq: 7, eventId: id };
      expect(query(`since=${formatCursor(last)}`).since).toEqual(last);
    }
  });

  it("HTTP-18 leaves an id out that is no text: half of a character cannot be escaped", () => {
    expect(formatCursor({ epoch: "e", seq: 1, eventId: "\ud800" })).toBe("e-1");
  });

  it.each(["", "e", "-1", "e-", "e-01", "e-1.5", "e-9007199254740993", "e 1-1", "e-1\n", "é-1", `${"e".repeat(33)}-1`, `e-1~${"x".repeat(129)}`, `e-1~${"x".repeat(5_000)}`, "~x", "e-1e3"])(
    "HTTP-6 is not %j",
    (text) => {
      expect(codeOf(() => parseCursor(text, "since"))).toBe("FRAME_INVALID since");
    },
  );
});

describe("a reader's query", () => {
  it("HTTP-6 names where to begin, how many events, and how long to wait", () => {
    expect(query("")).toEqual({ limit: 1_024, waitMs: 0 });
    expect(query("since=e-5&limit=10&wait=25")).toEqual({ since: { epoch: "e", seq: 5 }, limit: 10, waitMs: 25_000 });
    expect(query("rewind=100")).toMatchObject({ rewind: { count: 100 } });
    expect(query("rewind=0")).toMatchObject({ rewind: { count: 0 } });
    for (const [text, ageMs] of [["30s", 30_000], ["5m", 300_000], ["2h", 7_200_000]] as const) expect(query(`rewind=${text}`)).toMatchObject({ rewind: { ageMs } });
  });

  it("HTTP-6 HTTP-9 is bounded", () => {
    expect(query("limit=999999&wait=999999")).toEqual({ limit: 1_024, waitMs: 60_000 });
  });

  it("HTTP-6 goes on behind Last-Event-ID, which is later than what the URL names", () => {
    expect(query("since=e-5", { "last-event-id": "e-9~a:1" }).since).toEqual({ epoch: "e", seq: 9, eventId: "a:1" });
    expect(query("rewind=100", { "last-event-id": "e-9" })).toEqual({ since: { epoch: "e", seq: 9 }, limit: 1_024, waitMs: 0 });
    expect(query("since=e-5", { "last-event-id": "" }).since).toEqual({ epoch: "e", seq: 5 });
  });

  it.each([
    ["since=5", "since"],
    ["since=", "since"],
    ["since=e-1&since=e-2", "since"],
    ["since=e-1&rewind=5", "rewind"],
    ["rewind=", "rewind"],
    ["rewind=-1", "rewind"],
    ["rewind=5d", "rewind"],
    ["rewind=1e3", "rewind"],
    ["limit=0", "limit"],
    ["limit=-1", "limit"],
    ["limit=x", "limit"],
    ["limit=1.5", "limit"],
    ["wait=soon", "wait"],
    ["wait=-1", "wait"],
    ["wait=9999999999", "wait"],
  ])("HTTP-6 is refused as %s, with the field named", (text, field) => {
    expect(codeOf(() => query(text))).toBe(`FRAME_INVALID ${field}`);
  });

  it("HTTP-6 is refused for a Last-Event-ID of somebody else's", () => {
    expect(codeOf(() => query("", { "last-event-id": "42" }))).toBe("FRAME_INVALID Last-Event-ID");
  });
});
