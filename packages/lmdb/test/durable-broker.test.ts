import { brokerContractSuite } from "@tutti/testkit";
import { describe, expect, it } from "vitest";
import { durableBroker } from "../src/durable-broker.js";
import { MemoryStore } from "./support/memory-store.js";
import { TestEnvironment } from "./support/test-environment.js";

brokerContractSuite(
  "the durable log, on a disk in memory",
  async () => {
    const environment = new TestEnvironment();
    const broker = durableBroker(new MemoryStore(), { environment });
    return { broker, elapse: (ms) => environment.advance(ms), dispose: () => broker.close() };
  },
  { describe, it, expect },
);
