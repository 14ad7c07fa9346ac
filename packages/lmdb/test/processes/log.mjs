// A process that holds a log. `hold` says so and stands by; `append` publishes as fast as it can until it is killed, 64 at a time by 64 sessions
// in 4 channels, and says of each publish on a line of its own where it landed, once that is acknowledged.
import { writeSync } from "node:fs";
import { lmdbBroker } from "../../dist/index.js";

const [task, directory = "", round = ""] = process.argv.slice(2);

/** Written at once: what was said before a kill is heard. @param {string} line */
const say = (line) => void writeSync(1, `${line}\n`);

try {
  const broker = await lmdbBroker({ directory });
  say("held");
  if (task === "append") await Promise.all(Array.from({ length: 64 }, (_, index) => publish(broker, index)));
  else setInterval(() => {}, 1_000);
} catch (error) {
  say(`failed ${error?.code} ${error?.data?.pid ?? ""}`);
}

/** @param {import("@tutti/server").Broker} broker @param {number} index */
async function publish(broker, index) {
  const channel = `room:${index % 4}`;
  const session = `session-${round}-${index}`;
  for (let n = 1; ; n++) {
    const event = { eventId: `${session}:${n}`, type: "note:add", payload: { text: "x".repeat((n * 37) % 400) }, timestamp: 0 };
    const outcome = await broker.append(channel, { event, publisher: { session, n, settled: n - 1 } });
    if (outcome.outcome === "appended") say(`${channel} ${outcome.position.seq} ${event.eventId}`);
  }
}
