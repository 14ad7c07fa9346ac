// oxlint-disable-next-line no-restricted-imports -- a digest is the same everywhere: neither clock nor randomness
import { createHash } from "node:crypto";
import { appendBody } from "./append.js";
import { booksPrelude, type BookLimits } from "./books.js";
import { healingPrelude, lifePrelude, logPrelude, retentionPrelude } from "./log.js";
import { headBody, loadBody, locateBody, lookupBody, readBody, refuseBody, saveBody, trimBody } from "./operations.js";

/** A script, and the name under which Redis knows it once it was loaded. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

/** On one server a message reaches all who subscribed; on a cluster only the shard that has the channel carries it. */
export type PublishVerb = "PUBLISH" | "SPUBLISH";

export type Scripts = Readonly<Record<"append" | "refuse" | "lookup" | "read" | "head" | "locate" | "trim" | "save" | "load", Script>>;

/** The scripts of a broker. Their limits stand in their text, so brokers with different ones do not meet in Redis' cache. */
export function scriptsOf(limits: BookLimits, publish: PublishVerb): Scripts {
  const verb = `local PUBLISH = "${publish}"\n`;
  const books = lifePrelude + booksPrelude(limits);
  return {
    append: script(verb, logPrelude, healingPrelude, books, retentionPrelude, appendBody),
    refuse: script(logPrelude, books, refuseBody),
    lookup: script(logPrelude, books, lookupBody),
    read: script(verb, logPrelude, healingPrelude, readBody),
    head: script(verb, logPrelude, healingPrelude, headBody),
    locate: script(logPrelude, locateBody),
    trim: script(logPrelude, retentionPrelude, trimBody),
    save: script(logPrelude, lifePrelude, saveBody),
    load: script(logPrelude, loadBody),
  };
}

function script(...parts: readonly string[]): Script {
  const text = parts.join("");
  return { text, sha1: createHash("sha1").update(text).digest("hex") };
}
