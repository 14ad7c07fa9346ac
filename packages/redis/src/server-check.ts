import { TuttiError } from "@tutti/protocol";
import type { Log } from "@tutti/server";
import type { RequestLink } from "./link.js";

/** Scripts that write what they read of the clock, and sharded topics. */
const VERSION_MIN = 7;

/**
 * Looks at each server once, as the broker starts.
 *
 * @throws TuttiError `VERSION_UNSUPPORTED` where one is too old, `UNAVAILABLE` where it does not say
 */
export async function checkServers(link: RequestLink, log: Log): Promise<void> {
  for (const reply of await link.sendToAll(["INFO"])) {
    const info = fieldsOf(reply);
    const version = info.get("redis_version");
    if (version === undefined) throw new TuttiError("UNAVAILABLE", { message: "what was connected does not say which Redis it is" });
    if (Number.parseInt(version, 10) < VERSION_MIN) {
      throw new TuttiError("VERSION_UNSUPPORTED", { message: `this is Redis ${version}, and the broker needs ${VERSION_MIN} or newer` });
    }
    const policy = info.get("maxmemory_policy");
    if (info.get("maxmemory") !== "0" && policy !== undefined && policy !== "noeviction") {
      log.warn("this Redis evicts keys when its memory is full, and with them history and what is known of publishers: set maxmemory-policy noeviction", { policy });
    }
  }
}

function fieldsOf(reply: unknown): ReadonlyMap<string, string> {
  const lines = typeof reply === "string" ? reply.split(/\r?\n/) : [];
  return new Map(lines.filter((line) => line.includes(":")).map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}
