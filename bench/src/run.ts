import { rmSync } from "node:fs";
import { mkdtemp, mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Plan } from "./command-line.js";
import { choosableCores } from "./cores.js";
import { inProcess } from "./measure.js";
import { commit, loadNow, machine } from "./origin.js";
import { reportOf, type Report } from "./report.js";
import type { Run, Sample } from "./scenario.js";

/** Measures one contender after the other, round by round, so that a machine that changes its pace does so for all of them. */
async function measureAll({ scenario, rounds, size }: Plan, contenders: readonly string[], place: string, [core, otherCore]: readonly number[]): Promise<Report["rounds"]> {
  const runIn = async (contender: string, folder: string): Promise<Run> => {
    await mkdir(folder, { recursive: true });
    return { size, folder, prepared: join(place, contender), otherCore };
  };
  for (const contender of contenders) {
    await inProcess({ what: "prepare", scenario: scenario.name, contender, run: await runIn(contender, join(place, contender)) }, core);
  }
  const measured: Record<string, Sample>[] = [];
  for (let round = 0; round < rounds; round++) {
    const samples: Record<string, Sample> = {};
    // Each round begins with another contender: what follows on what is no part of the figures.
    const order = contenders.map((_, index, all) => all[(index + round) % all.length] ?? "");
    for (const contender of order) {
      const folder = join(place, "run");
      samples[contender] = await inProcess({ what: "measure", scenario: scenario.name, contender, run: await runIn(contender, folder) }, core);
      await rm(folder, { recursive: true });
    }
    measured.push(samples);
    console.error(`${scenario.name}: round ${round + 1} of ${rounds}`);
  }
  return measured;
}

type Presence = Pick<Report, "missing" | "notes"> & { readonly contenders: readonly string[] };

/** Those that can be measured here with what has to be known of them, and why the others cannot. */
async function present({ scenario, peers, size }: Plan): Promise<Presence> {
  const missing: Record<string, string> = {};
  const notes: Record<string, string> = {};
  const contenders: string[] = [];
  for (const contender of scenario.contenders.filter((name) => peers?.includes(name) ?? true)) {
    const why = await scenario.missing(contender, size);
    const note = why === undefined ? await scenario.note(contender) : undefined;
    if (why === undefined) contenders.push(contender);
    else missing[contender] = why;
    if (note !== undefined) notes[contender] = note;
  }
  for (const [contender, why] of Object.entries(missing)) console.error(`${scenario.name}: not measured: ${contender}: ${why}`);
  return { contenders, missing, notes };
}

/** Measures a scenario. @throws (rejects) Error where one of its contenders fails */
export async function runScenario(plan: Plan): Promise<Report> {
  const { scenario, size, directory = tmpdir() } = plan;
  const startedAt = new Date().toISOString();
  const pinnedTo = choosableCores().slice(0, 2);
  const before = loadNow();
  const place = await mkdtemp(join(directory, "tutti-bench-"));
  // Logs of a million events are not to stay where the run is interrupted.
  const tidy = (): void => rmSync(place, { recursive: true, force: true, maxRetries: 3 });
  process.once("exit", tidy);
  try {
    const { contenders, missing, notes } = await present(plan);
    const rounds = await measureAll(plan, contenders, place, pinnedTo);
    const { name, what } = scenario;
    const origin = { startedAt, machine: machine(), node: process.versions.node, commit: commit(), pinnedTo, load: { before, after: loadNow() } };
    return reportOf({ scenario: name, what, size, ...origin, missing, notes, rounds }, scenario);
  } finally {
    process.off("exit", tidy);
    tidy();
  }
}
