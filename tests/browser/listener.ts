import { createClient, webSocketTransport } from "tutti/client";
import { WebSocket } from "ws";

/** Somebody who notes what arrives on a canvas, in the words of the contract. */
export async function listenTo(port: number, path: string) {
  const client = createClient({ url: `ws://localhost:${port}/v1/connect`, token: "d".repeat(24), transport: webSocketTransport({ WebSocket }) });
  const channel = client.channel("canvas:{id}", { id: path.replace("/c/", "") });
  const heard: string[] = [];
  client.onAny(({ type, payload }) => {
    if (/^(concept|arrow|chat):/.test(type)) heard.push(`${type} ${Object(payload).text ?? ""}`.trim());
  });
  await channel.subscribe();
  return { heard, close: () => client.close() };
}
