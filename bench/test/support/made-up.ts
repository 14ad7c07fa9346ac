import type { Measured } from "../../src/report.js";
import { keyOf, scenario, type Sample, type Scenario, type ScenarioDefinition } from "../../src/scenario.js";

const rates = [10, 100, 1_000];

const definition: ScenarioDefinition<object> = {
  name: "room",
  what: "a room that was made up",
  rounds: 3,
  quantities: [
    { name: "highest", unit: "deliveries/s" },
    { name: "cpu", unit: "µs", at: { what: "publishes/s", points: rates } },
    { name: "p50", unit: "ms", at: { what: "publishes/s", points: rates }, quantile: { of: "latency", share: 0.5 } },
    { name: "share", unit: "of what was due", at: { what: "publishes/s", points: rates }, isDetail: true },
  ],
  contenders: Object.fromEntries(["tutti", "ws", "ws-turn", "centrifugo"].map((name) => [name, { open: async () => ({ close: async () => {} }) }])),
  comparisons: [
    { quantity: "highest", of: "tutti", to: "ws", goal: { atLeast: 100 } },
    { quantity: "highest", of: "tutti", to: "centrifugo", goal: { atLeast: 10 } },
    { quantity: "cpu", at: 10, of: "tutti", to: "ws", goal: { atMost: 1 } },
    { quantity: "p50", at: 10, of: "tutti", goal: { atMost: 5 } },
    { quantity: "cpu", at: 100, of: "tutti", to: "ws-turn" },
  ],
  load: async () => ({}),
};

/** A scenario that nobody has to measure. */
export const madeUp = (changes: Partial<ScenarioDefinition<object>> = {}): Scenario => scenario({ ...definition, ...changes });

/** What a contender gave up to the last rate that it stood. */
function sampleOf(factor: number, rateMax: number, highest: number): Sample {
  const stood = rates.filter((rate) => rate <= rateMax);
  const each = stood.flatMap((rate) => [
    [keyOf("cpu", rate), (factor * 80) / rate],
    [keyOf("latency", rate), [4, 5, 6].map((ms) => ms * factor)],
    [keyOf("share", rate), 1],
  ]);
  return { ...Object.fromEntries(each), highest };
}

/** A round in which the machine was as slow as `pace` says. */
const round = (pace: number): Readonly<Record<string, Sample>> => ({
  tutti: sampleOf(pace, 1_000, 20_000_000 / pace),
  ws: sampleOf(1.25 * pace, 100, 80_000 / pace),
  "ws-turn": sampleOf(0.5 * pace, 1_000, 25_000_000 / pace),
});

export const madeUpMeasured = (changes: Partial<Measured> = {}): Measured => ({
  scenario: "room",
  what: definition.what,
  size: "full",
  startedAt: "2026-02-03T04:05:06.789Z",
  machine: { cpu: "A processor", cores: 2, memoryBytes: 8 * 2 ** 30, system: "linux 6 x64" },
  node: "20.20.0",
  commit: "0123abc",
  pinnedTo: [0, 1],
  load: { before: 0.1, after: 1.25 },
  notes: { "ws-turn": "the ceiling of this machine" },
  missing: { centrifugo: "there is no Go toolchain here" },
  rounds: [round(1), round(1.1), round(0.9)],
  ...changes,
});
