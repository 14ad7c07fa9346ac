// The product, as an application would start it: a contract, authentication, and all defaults.
import { defineContract } from "@tutti/protocol";
import { redisBroker } from "@tutti/redis";
import { createServer, silentLog, verifiedTokens, type Bounds, type NamespacePolicy } from "@tutti/server";
import { z } from "zod";
import { serve } from "./serve.js";
import { trustToken, verifyToken } from "./tokens.js";

const mark = z.object({ p: z.number(), i: z.number(), t: z.number(), x: z.string().max(10_000) });

const room = { events: { "item:add": mark }, signals: { "cursor:move": mark } };
const contract = defineContract({ channels: { "room:{id}": room } });

await serve(async (http, { setup, options }) => {
  const { redisUrl } = setup;
  const server = createServer({
    contract,
    log: silentLog,
    ...(redisUrl !== undefined && { broker: await redisBroker({ url: redisUrl }) }),
    ...(options as Partial<Bounds> & { readonly namespaces?: Readonly<Record<string, NamespacePolicy>> }),
    authenticate: verifiedTokens(setup.checksTokens ? verifyToken : trustToken),
  });
  server.attach(http);
});
