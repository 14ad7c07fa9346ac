import { createClient } from "tutti/client";
import { contract } from "../contract.js";
import { guest } from "./guest.js";
import { tellRefusal } from "./shared/refusal.js";

/** The one connection of this page. It opens with the first subscription. */
export const client = createClient({
  url: "/v1/connect",
  contract,
  token: () => guest.getSnapshot().token,
  client: { name: "tutti-canvas", version: "0.1.0" },
});

// Also what another page has left, or an earlier one: nobody here holds its promise.
client.on("rollback", (rollback) => tellRefusal(rollback, rollback.error));

// What waits in the queue lives as long as the page does, so leaving the page is asked about while something waits.
window.addEventListener("beforeunload", (event) => {
  if (client.pending.getSnapshot().count > 0) event.preventDefault();
});
