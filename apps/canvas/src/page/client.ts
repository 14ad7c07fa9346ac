import { createClient, indexedDbStorage } from "tutti/client";
import { contract } from "../contract.js";
import { guest } from "./guest.js";
import { tellRefusal } from "./shared/refusal.js";
import { tell } from "./shared/toast.js";

/** The one connection of this page. It opens with the first subscription, and keeps in this browser what is not sent and what it saw last. */
export const client = createClient({
  url: "/v1/connect",
  contract,
  token: () => guest.getSnapshot().token,
  client: { name: "tutti-canvas", version: "0.1.0" },
  storage: indexedDbStorage(),
  // Another guest sees nothing of what this one has left, with or without a connection.
  owner: guest.getSnapshot().token,
});

/** Why changes were taken back: that is told with the change. */
const told = new WeakSet<Error>();
/** Whether what waits would be lost with this page. */
let isFragile = false;

// Also what another page has left, or an earlier one: nobody here holds its promise.
client.on("rollback", (rollback) => {
  told.add(rollback.error);
  tellRefusal(rollback, rollback.error);
});

client.on("error", (error) => {
  if (error.code !== "STORAGE_FAILED") return;
  isFragile = true;
  // Later: a change that is taken back for it is told of after this.
  setTimeout(() => {
    if (!told.has(error)) tell("This browser keeps nothing for this page. What is not saved is lost when the page is closed.");
  });
});

window.addEventListener("beforeunload", (event) => {
  if (isFragile && client.pending.getSnapshot().count > 0) event.preventDefault();
});
