// Rounds of a real cluster with faults, each from a seed: three nodes behind nginx on one Redis, and guests who publish and read. A row for each.
// `npm run soak` runs twenty.
//
//   node tests/dist/integration/chaos/main.js [--rounds N] [--from SEED] [--guests N] [--seconds N] [--every MS]
//
// --rounds    how many (20)
// --from      the seed of the first (1)
// --guests    how many clients there are (200)
// --seconds   for how long faults happen in a round (120)
// --every     about how often each guest publishes, in ms (1,000)
import { parseArgs } from "node:util";
import { runRound, type RoundResult } from "./round.js";

const text = { type: "string" } as const;
const { values } = parseArgs({ options: { rounds: text, from: text, guests: text, seconds: text, every: text } });

function wholeNumber(name: keyof typeof values, usual: number): number {
  const given = values[name];
  if (given === undefined) return usual;
  if (/^\d{1,9}$/.test(given)) return Number(given);
  console.error(`--${name} is a whole number, not "${given}"`);
  process.exit(2);
}

const rounds = wholeNumber("rounds", 20);
const from = wholeNumber("from", 1);
const guestCount = wholeNumber("guests", 200);
const faultMs = wholeNumber("seconds", 120) * 1000;
const publishEveryMs = wholeNumber("every", 1_000);

const columns = ["seed", "faults", "acknowledged", "lost", "seen", "gaps told", "at the head after", "presence true after", "violations"];
const row = (cells: readonly (string | number)[]): void => console.log(`| ${cells.join(" | ")} |`);
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const count = (number: number): string => number.toLocaleString("en");

function report({ seed, kinds, faults, acknowledged, lost, deliveries, gaps, caughtUpMs, presenceMs, violations }: RoundResult): void {
  const counts = [acknowledged, lost, deliveries, gaps].map(count);
  row([seed, `${kinds.join(" + ")} (${faults})`, ...counts, seconds(caughtUpMs), seconds(presenceMs), violations.length]);
  for (const violation of violations.slice(0, 10)) console.error(violation);
}

row(columns);
row(columns.map(() => "---"));
let violations = 0;
for (let round = 0; round < rounds; round++) {
  const seed = from + round;
  const result = await runRound({ seed, round: seed - 1, guestCount, faultMs, publishEveryMs });
  report(result);
  violations += result.violations.length;
}
console.log(`rounds=${rounds} violations=${violations}`);
process.exit(violations > 0 ? 1 : 0);
