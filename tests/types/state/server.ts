// server.ts: the server has the last word on ids
import { randomUUID } from "node:crypto";
import { createServer } from "tutti/server";
import { contract } from "./contract.js";

export const server = createServer({
  contract,
  channels: {
    "board:{id}": {
      publish: {
        "note:add": ({ payload }) => ({ ...payload, id: payload.id.startsWith("new-") ? randomUUID() : payload.id }),
      },
    },
  },
});
