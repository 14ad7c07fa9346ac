// A client that comes back again and again, and each time has missed everything. It reads no more of the frames than it has to.
import type { LastSeen } from "@tutti/protocol";
import { WebSocket } from "ws";

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

interface Frame {
  readonly op: string;
  readonly seq?: number;
  readonly success?: boolean;
  readonly events?: readonly unknown[];
}

let serial = 0;

/** How many events arrived, one after the other. @throws Error where one is left out */
function following(last: number, { seq = 0, events = [] }: Frame): number {
  if (seq !== last + 1) throw new Error(`${seq} came after ${last}`);
  return last + events.length;
}

async function recover({ url, channel, since, upTo }: Recovery): Promise<void> {
  const socket = new WebSocket(url, "tutti.1.json", { perMessageDeflate: false });
  let last = since.seq;
  socket.on("open", () => socket.send(JSON.stringify({ op: "hello", versions: [1], session: `session-of-the-benchmark-${++serial}` })));
  const done = new Promise<void>((resolve, reject) => {
    socket.on("message", (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Frame | readonly Frame[];
      for (const frame of Array.isArray(message) ? (message as readonly Frame[]) : [message as Frame]) {
        if (frame.success === false) reject(new Error(JSON.stringify(frame)));
        if (frame.op === "welcome") socket.send(JSON.stringify({ op: "subscribe", correlationId: "1", channel, since }));
        if (frame.op === "events") last = following(last, frame);
      }
      if (last >= upTo) resolve();
    });
    socket.on("close", (code) => reject(new Error(`the server closed with ${code}`)));
    socket.on("error", reject);
  });
  await done.finally(() => socket.terminate());
}

process.on("message", (recovery: Recovery) => {
  recover(recovery).then(
    () => process.send?.({} satisfies Recovered),
    (error: unknown) => process.send?.({ problem: String(error) } satisfies Recovered),
  );
});
