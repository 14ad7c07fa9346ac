import { once } from "node:events";
import { createServer } from "node:net";

/** Below what systems give to connections that go out, so that a server that comes back finds its port free. */
const lowest = 20_000;
const highest = 32_000;
const attemptsMax = 100;

/** A port of the loopback address that nobody listens at. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port among ${attemptsMax} between ${lowest} and ${highest}`);
}

/** Whether nobody listens at a port of the loopback address. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  await once(server.close(), "close");
  return true;
}
