import { memoryBroker } from "@tutti/server";
import { describe, expect, it } from "vitest";
import { Participant, SimulatedBroker, SimulatedClock, brokerContractSuite, calmBroker, type BrokerUnderTest } from "../src/index.js";

async function simulated(wrap: (broker: SimulatedBroker, node: Participant) => BrokerUnderTest["broker"]): Promise<BrokerUnderTest> {
  const clock = new SimulatedClock();
  const node = new Participant(clock, "node", 1);
  const participant = new Participant(clock, "broker", 1);
  const broker = new SimulatedBroker({ clock, participant, seed: 1, create: () => memoryBroker({ environment: participant }) });
  const stop = clock.runFreely();
  return {
    broker: wrap(broker, node),
    elapse: (ms) => new Promise((resolve) => node.after(ms, resolve)),
    dispose: async () => stop(),
  };
}

brokerContractSuite("memory", () => simulated((broker) => broker.log), { describe, it, expect });

brokerContractSuite(
  "the simulated broker, slow and out of step",
  () =>
    simulated((broker, node) => {
      broker.faults = { ...calmBroker, delayMs: [0, 40] };
      return broker.connect(node);
    }),
  { describe, it, expect },
);
