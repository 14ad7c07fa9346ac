import { createClient } from "tutti/client";
import { contract } from "../contract.js";
import { guest } from "./guest.js";

/** The one connection of this page. It opens with the first subscription. */
export const client = createClient({
  url: "/v1/connect",
  contract,
  token: () => guest.getSnapshot().token,
  client: { name: "tutti-canvas", version: "0.1.0" },
});

// What waits in the queue lives as long as the page does, so leaving the page is asked about while something waits.
window.addEventListener("beforeunload", (event) => {
  if (client.pending.getSnapshot().count > 0) event.preventDefault();
});
