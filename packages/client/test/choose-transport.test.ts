import { channel, defineContract } from "@tutti/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseTransport, requirementsOf, type TransportEnvironment, type TransportRequirements } from "../src/index.js";
import { contract } from "./support/contract.js";

const canvas: TransportRequirements = { direction: "two-way", latency: "immediate", frequency: "continuous", collaborative: true, presence: true };
const dashboard: TransportRequirements = { direction: "down", latency: "immediate", frequency: "frequent" };
const notices: TransportRequirements = { direction: "down", latency: "seconds", frequency: "rare" };
const report: TransportRequirements = { direction: "down", latency: "minutes", frequency: "rare" };

const requirements: fc.Arbitrary<TransportRequirements> = fc.record({
  direction: fc.constantFrom("down", "two-way"),
  latency: fc.constantFrom("immediate", "seconds", "minutes"),
  frequency: fc.constantFrom("continuous", "frequent", "rare"),
  collaborative: fc.boolean(),
  presence: fc.boolean(),
});
const environment: fc.Arbitrary<TransportEnvironment> = fc.record(
  { webSocket: fc.boolean(), streams: fc.boolean(), proxy: fc.constantFrom("open", "no-upgrade", "buffering", "short-requests"), platform: fc.constantFrom("page", "program") },
  { requiredKeys: [] },
);

describe("chooseTransport", () => {
  it.each([
    ["people at one canvas", canvas, {}, "websocket", ["websocket", "sse", "long-poll", "poll"]],
    ["a dashboard in a page", dashboard, {}, "sse", ["sse", "websocket", "long-poll", "poll"]],
    ["a dashboard in a program", dashboard, { platform: "program" }, "stream", ["stream", "websocket", "long-poll", "poll"]],
    ["rare notices", notices, {}, "long-poll", ["long-poll", "poll"]],
    ["a report", report, {}, "poll", ["poll"]],
    ["people behind a proxy that strips Upgrade", canvas, { proxy: "no-upgrade" }, "sse", ["sse", "long-poll", "poll"]],
    ["people behind a proxy that buffers", canvas, { proxy: "buffering" }, "long-poll", ["long-poll", "poll"]],
    ["people behind a proxy that cuts", canvas, { proxy: "short-requests" }, "poll", ["poll"]],
    ["a platform without WebSocket", canvas, { webSocket: false }, "sse", ["sse", "long-poll", "poll"]],
    ["a platform without streams", dashboard, { streams: false }, "websocket", ["websocket", "long-poll", "poll"]],
  ] as const)("TRN-1 %s", (_name, needs, where, transport, order) => {
    expect(chooseTransport(needs, where)).toMatchObject({ transport, order });
  });

  it("TRN-1 gives its reasons: what fits, what is in the way, what follows", () => {
    expect(chooseTransport(canvas, { proxy: "buffering" }).reasons).toEqual([
      "websocket fits: people work on the same thing: both ends speak all the time, over one connection",
      "not websocket: a proxy lets no WebSocket through",
      "not sse: a proxy holds answers back until they are whole",
      "long-poll is the next best",
    ]);
    expect(chooseTransport(dashboard).reasons).toEqual(["sse fits: only the server speaks: one answer that goes on, over plain HTTP"]);
  });

  it("TRN-1 always finds one, and says the same each time", () => {
    fc.assert(
      fc.property(requirements, environment, (needs, where) => {
        const choice = chooseTransport(needs, where);
        expect(choice.order[0]).toBe(choice.transport);
        expect(new Set(choice.order).size).toBe(choice.order.length);
        expect(choice.order.at(-1)).toBe("poll");
        expect(choice.reasons.length).toBeGreaterThan(0);
        expect(chooseTransport(needs, where)).toEqual(choice);
      }),
    );
  });

  it("TRN-1 a stricter proxy never leaves more to choose from", () => {
    const proxies = ["open", "no-upgrade", "buffering", "short-requests"] as const;
    fc.assert(
      fc.property(requirements, environment, fc.integer({ min: 1, max: 3 }), (needs, where, index) => {
        const lenient = chooseTransport(needs, { ...where, proxy: proxies[index - 1]! });
        for (const name of chooseTransport(needs, { ...where, proxy: proxies[index]! }).order) expect([...lenient.order, "poll"]).toContain(name);
      }),
    );
  });

  it("TRN-2 warns where polling is chosen for what needs to be live, and only there", () => {
    expect(chooseTransport(canvas, { proxy: "short-requests" }).warnings).toEqual([{ code: "NOT_LIVE", message: "polling shows what people do together 2 to 60 s late" }]);
    expect(chooseTransport({ ...dashboard, presence: true }, { proxy: "short-requests" }).warnings).toEqual([{ code: "NOT_LIVE", message: "polling shows presence 2 to 60 s late" }]);
    expect(chooseTransport(canvas, { proxy: "buffering" }).warnings).toMatchObject([{ code: "REQUEST_PER_EVENT" }]);
    expect(chooseTransport({ ...report, presence: true }, { proxy: "short-requests" }).warnings).toMatchObject([{ code: "NOT_LIVE" }]);
    for (const needs of [canvas, dashboard, notices, report]) expect(chooseTransport(needs).warnings).toEqual([]);
  });

  it("TRN-1 reads from a contract what that shows, and believes what else is known", () => {
    expect(requirementsOf(contract)).toEqual({ direction: "two-way", latency: "immediate", frequency: "continuous", collaborative: true, presence: true });
    const feed = defineContract({ channels: { "feed:{id}": channel({}) } });
    expect(requirementsOf(feed)).toEqual({ direction: "two-way", latency: "seconds", frequency: "frequent", collaborative: false, presence: false });
    expect(chooseTransport(requirementsOf(feed, { direction: "down" })).transport).toBe("sse");
  });
});
