import { defineContract } from "tutti/contract";
import { canvas } from "./canvas.js";
import { lobby } from "./lobby.js";

/** All that pages and server say to each other. Both are compiled against it, and both check what they get by it. */
export const contract = defineContract({
  channels: { "lobby:main": lobby, "canvas:{id}": canvas },
});
