import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { PublishersOffer, PublishersReport, PublishersTask } from "../processes/publishers.js";

/** Publishers in a process of their own, on the core of this one. */
export interface Publishers {
  /** Resolves when the offer is over and everything is acknowledged. */
  offer(offer: PublishersOffer): Promise<PublishersReport>;
  close(): void;
}

/** Resolves when all of them are in. @throws (rejects) Error where they do not get in */
export async function startPublishers(task: PublishersTask): Promise<Publishers> {
  const child = fork(join(import.meta.dirname, "../processes/publishers.js"), [JSON.stringify(task)], { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
  const ended = once(child, "exit").then(() => undefined);
  await report(child, ended);
  return {
    offer(offer) {
      child.send(offer);
      return report(child, ended);
    },
    close: () => child.disconnect(),
  };
}

async function report(child: ChildProcess, ended: Promise<undefined>): Promise<PublishersReport> {
  const told = await Promise.race([once(child, "message") as Promise<[PublishersReport]>, ended]);
  if (told === undefined) throw new Error("the publishers ended");
  const [{ problem }] = told;
  if (problem !== undefined) throw new Error(problem);
  return told[0];
}
