import { setTimeout as pause } from "node:timers/promises";

const settledBytes = 64 * 1024;
const settledTimes = 4;

/**
 * What is in use outside of the log's file, on the heap and in buffers beside it, once it falls no more: what was just let go may be held by
 * something that is still under way. The process is started with `--expose-gc`.
 */
export async function bytesInUse(): Promise<number> {
  let least = Infinity;
  for (let settled = 0; settled < settledTimes; settled++) {
    await pause(50);
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    const bytes = heapUsed + external;
    if (bytes < least - settledBytes) settled = 0;
    least = Math.min(least, bytes);
  }
  return least;
}
