import { spawn } from "node:child_process";
import { join } from "node:path";
import { nodeOn } from "./cores.js";
import type { Run, Sample } from "./scenario.js";

/** What a process is to do for a contender. */
export interface Task {
  readonly what: "prepare" | "measure";
  readonly scenario: string;
  readonly contender: string;
  readonly run: Run;
}

const script = join(import.meta.dirname, "processes/contender.js");

/** Does a task in a process of its own, on a core of its own. @throws (rejects) Error where the process ends without having done it */
export function inProcess(task: Task, core: number | undefined): Promise<Sample> {
  const { command, args } = nodeOn(core, [script, JSON.stringify(task)]);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
    let sample: Sample | undefined;
    child.on("message", (message: Sample) => {
      sample = message;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0 && sample !== undefined) resolve(sample);
      else reject(new Error(`${task.scenario}: ${task.contender} could not ${task.what}; its process ended with ${code}`));
    });
  });
}
