// Fills the outbound queue of a client that is offline, tries to fill it further, and empties it. It says what that took.
import { join } from "node:path";
import { createClient, memoryStorage, webSocketTransport, type ClientStorage } from "@tutti/client";
import { fileStorage } from "@tutti/client/node";
import { TuttiError } from "@tutti/protocol";
import { WebSocket } from "ws";
import { roomContract } from "../room-contract.js";
import { bytesInUse } from "./heap.js";

export interface FullQueue {
  readonly count: number;
  readonly bytes: number;
  readonly refused: number;
  /** More than before, once it is full, after the refusals, and once it is empty again. */
  readonly fullBytes: number;
  readonly refusedBytes: number;
  readonly emptyBytes: number;
}

const storages: Readonly<Record<string, (directory: string) => ClientStorage | undefined>> = {
  none: () => undefined,
  memory: () => memoryStorage(),
  file: (directory) => fileStorage(join(directory, "queue")),
};
const more = 10_000;
const nobodyThere = "ws://127.0.0.1:9/v1/connect";
/** As many as the queue takes, and as much. */
const text = "x".repeat(840);

const [kind = "", directory = ""] = process.argv.slice(2);
const storage = storages[kind]?.(directory);
const client = createClient({ url: nobodyThere, contract: roomContract, transport: webSocketTransport({ WebSocket }), ...(storage && { storage }) });
const room = client.channel("room:{id}", { id: "one" });
client.connect();

const codes = new Map<string, number>();
let serial = 0;
function publish(count: number): Promise<unknown> {
  const all = Array.from({ length: count }, () =>
    room.publish("line:add", { id: String(serial++), text: `${serial}${text}` }).catch((error: unknown) => {
      if (!(error instanceof TuttiError)) throw error;
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
    }),
  );
  return Promise.all(all);
}

// Once, so that the code is there and compiled.
const warm = publish(1);
const before = await bytesInUse();
const filling = publish(1_500);
const full = await bytesInUse();
const { count, bytes } = client.pending.getSnapshot();
const beyond = publish(more);
const refused = await bytesInUse();
await client.close();
await Promise.all([warm, filling, beyond]);
const empty = await bytesInUse();
const said: FullQueue = { count, bytes, refused: codes.get("QUEUE_FULL") ?? 0, fullBytes: full - before, refusedBytes: refused - before, emptyBytes: empty - before };
process.send?.(said, () => process.exit());
