// A client with its queue in a file. It publishes at full speed until it is killed, and says what was acknowledged.
import { createClient, webSocketTransport } from "@tutti/client";
import { fileStorage } from "@tutti/client/node";
import { WebSocket } from "ws";
import { Torrent } from "../durable/torrent.js";

export interface Said {
  /** Left out in the first message, which says that it has begun. */
  readonly acknowledged?: string;
}

const width = 48;

const [url = "", file = "", name = ""] = process.argv.slice(2);
const client = createClient({ url, transport: webSocketTransport({ WebSocket }), storage: fileStorage(file), reconnectDelaysMs: [20], reconnectJitterMs: 10, reconnectAttemptsMax: 1e6 });
const channel = client.channel("feed:one");
const say = (said: Said): void => void process.send?.(said);

client.connect();
void new Torrent(name, width, async (id) => {
  const published = await channel.publish("item:add", { id });
  say({ acknowledged: id });
  return published;
});
process.on("disconnect", () => process.exit());
say({});
