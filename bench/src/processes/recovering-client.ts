// A client that comes back again and again, and each time has missed everything.
import { createClient, webSocketTransport } from "@tutti/client";
import type { LastSeen } from "@tutti/protocol";
import { WebSocket } from "ws";
import { eventType } from "../log.js";

/** What the client is asked for. */
export interface Recovery {
  readonly url: string;
  readonly channel: string;
  readonly since: LastSeen;
  /** The `seq` of the last event. */
  readonly upTo: number;
}

/** The answer, when the last event has arrived. */
export interface Recovered {
  readonly problem?: string;
}

const transport = webSocketTransport({ WebSocket });

async function recover({ url, channel, since, upTo }: Recovery): Promise<void> {
  const client = createClient({ url, transport });
  const missed = client.channel(channel);
  let count = 0;
  const done = new Promise<void>((resolve, reject) => {
    missed.on(eventType, ({ position }) => {
      count++;
      if (position.seq === upTo) resolve();
    });
    missed.on("gap", () => reject(new Error("the log has a gap")));
  });
  await missed.subscribe({ since });
  await done;
  await client.close();
  if (count !== upTo - since.seq) throw new Error(`${count} events arrived of ${upTo - since.seq}`);
}

process.on("message", (recovery: Recovery) => {
  recover(recovery).then(
    () => process.send?.({} satisfies Recovered),
    (error: unknown) => process.send?.({ problem: String(error) } satisfies Recovered),
  );
});

// Whoever asked is gone, and a client would try to come back for ever.
process.on("disconnect", () => process.exit());
