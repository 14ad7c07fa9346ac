// client.ts: in a page
import { createClient } from "tutti/client";
import { contract } from "./contract.js";

const client = createClient({ url: "ws://localhost:8080/v1/connect", contract });
const board = client.channel("board:{id}", { id: "7f" });

board.state.subscribe(() => console.log(board.state.getSnapshot())); // yours at once, everybody's in one order
board.on("cursor:move", ({ session, payload }) => console.log(session, payload.x, payload.y));

await board.subscribe(); // and again after every reconnect, from where it left off
await board.publish("note:add", { text: "Buy milk" }); // resolves when it is in the log, once
