import { brokerContractSuite } from "@tutti/testkit";
import { describe, expect, it } from "vitest";
import { lmdbBroker } from "../src/lmdb-broker.js";
import { freshDirectory } from "./support/directory.js";
import { TestEnvironment } from "./support/test-environment.js";

brokerContractSuite(
  "the durable log, in LMDB",
  async () => {
    const environment = new TestEnvironment();
    const broker = await lmdbBroker({ directory: freshDirectory(), environment });
    return { broker, elapse: (ms) => environment.advance(ms), dispose: () => broker.close() };
  },
  { describe, it, expect },
);
