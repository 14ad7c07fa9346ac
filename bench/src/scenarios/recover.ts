import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer, silentLog, type Broker } from "@tutti/server";
import { nodeOn } from "../cores.js";
import { costOf } from "../cost.js";
import { copyLog, fill, openLog } from "../log.js";
import type { Recovered, Recovery } from "../processes/recovering-client.js";
import { scenario, type Contender, type Run } from "../scenario.js";

const missed = 10_000;
const channel = "feed:one";
/** What a server reads at once. */
const pageCount = 256;

const counts = { full: { warmUp: 5, measured: 20 }, tiny: { warmUp: 0, measured: 1 } };

interface History {
  /** Brings everything that was missed to where it is wanted. */
  recover(): Promise<void>;
}

const prepare = async ({ folder }: Run): Promise<void> => {
  const log = await openLog(folder);
  await fill(log, channel, missed);
  await log.close();
};

async function copied({ prepared, folder }: Run): Promise<Broker> {
  await copyLog(prepared, folder);
  return openLog(folder);
}

/** The measure: the events are read page by page, and not sent anywhere. */
const log: Contender<History> = {
  prepare,
  async open(run) {
    const broker = await copied(run);
    const { position } = await broker.head(channel);
    return {
      async recover() {
        let seq = 0;
        for (;;) {
          const page = await broker.read(channel, { epoch: position.epoch, seq }, { countMax: pageCount });
          if (page.outcome === "gap") throw new Error("the log has a gap");
          const last = page.run.events.at(-1);
          if (last === undefined) break;
          seq = last.seq;
        }
        if (seq !== position.seq) throw new Error(`read up to ${seq} of ${position.seq}`);
      },
      close: () => broker.close(),
    };
  },
};

/** A process beside this one, so that what a client costs is not counted. */
function startClient({ otherCore }: Run): ChildProcess {
  const script = join(import.meta.dirname, "../processes/recovering-client.js");
  const { command, args } = nodeOn(otherCore, []);
  return fork(script, { execPath: command, execArgv: [...args], stdio: ["ignore", "inherit", "inherit", "ipc"] });
}

/** A client that missed everything subscribes since the beginning, over a WebSocket. */
const server: Contender<History> = {
  prepare,
  async open(run) {
    const broker = await copied(run);
    const { position } = await broker.head(channel);
    const node = createServer({ broker, log: silentLog });
    const http = createHttpServer().listen(0, "127.0.0.1");
    node.attach(http);
    await once(http, "listening");
    const { port } = http.address() as AddressInfo;
    const client = startClient(run);
    const ended = once(client, "exit").then(() => undefined);
    const recovery: Recovery = { url: `ws://127.0.0.1:${port}/v1/connect`, channel, since: { epoch: position.epoch, seq: 0 }, upTo: position.seq };
    return {
      async recover() {
        const answered = once(client, "message") as Promise<[Recovered]>;
        client.send(recovery);
        const answer = await Promise.race([answered, ended]);
        if (answer === undefined) throw new Error("the client ended");
        const [{ problem }] = answer;
        if (problem !== undefined) throw new Error(problem);
      },
      async close() {
        client.disconnect();
        await ended;
        await node.close();
        http.close();
      },
    };
  },
};

export const recover = scenario<History>({
  name: "recover",
  what: `what it costs the server that a client recovers ${missed} missed events, beside reading them from the log`,
  rounds: 7,
  quantities: [
    { name: "cpu", unit: "ms" },
    { name: "elapsed", unit: "ms" },
  ],
  contenders: { log, server },
  comparisons: [
    { quantity: "cpu", of: "server", to: "log", goal: { atMost: 3 } },
    { quantity: "elapsed", of: "server", to: "log" },
  ],
  async load(history, size) {
    const { warmUp, measured } = counts[size];
    const times = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index++) await history.recover();
    };
    await times(warmUp);
    const { cpuMs, elapsedMs } = await costOf(() => times(measured));
    return { cpu: cpuMs / measured, elapsed: elapsedMs / measured };
  },
});
