/** What some work took of this process: all its threads together, and the clock on the wall. */
export interface Cost {
  readonly cpuMs: number;
  readonly elapsedMs: number;
}

export async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const elapsedMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  return { cpuMs: (user + system) / 1000, elapsedMs };
}
