import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { Stage } from "./stage.js";

const startMsMax = 60_000;
let serial = 0;

/** What a suite needs that runs on a Redis, or a Redis Cluster, of its own. */
export interface RedisSuite<Redis> {
  readonly redis: Redis;
  /** Of the test that runs. */
  readonly stage: Stage;
  /** Of the test that runs, so that each has channels of its own in the same Redis. */
  readonly prefix: string;
}

/** Starts a Redis for the suite in which it is called, and sets the stage for each of its tests. */
export function redisSuite<Redis extends { remove(): Promise<void> }>(start: () => Promise<Redis>): RedisSuite<Redis> {
  let redis: Redis | undefined;
  let stage: Stage | undefined;
  let prefix = "";

  beforeAll(async () => {
    redis = await start();
  }, startMsMax);
  afterAll(() => redis?.remove());
  beforeEach(() => {
    stage = new Stage();
    prefix = `test-${++serial}`;
  });
  afterEach(() => stage?.end());

  return {
    get redis() {
      return there(redis);
    },
    get stage() {
      return there(stage);
    },
    get prefix() {
      return prefix;
    },
  };
}

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the suite has not begun");
  return value;
}
