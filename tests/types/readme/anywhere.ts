// anywhere.ts: the client of above, whatever stands between
import { adaptiveTransport, createClient } from "tutti/client";
import { contract } from "./contract.js";

const client = createClient({ url: "ws://localhost:8080/v1/connect", contract, transport: adaptiveTransport() });
client.on("status", () => console.log(client.transport.name, client.transport.reason)); // "websocket", or "sse", and why
client.connect();
