// oxlint-disable-next-line no-restricted-imports -- a digest is the same everywhere: neither clock nor randomness
import { createHash } from "node:crypto";
import { TuttiError } from "@tutti/protocol";
import type { IdempotencyKey } from "@tutti/server";

/** More than a valid name has. */
const CHANNEL_CHARACTERS_MAX = 512;

/** What could end the tag that names the slot, and what people who list keys could take for something else. */
const UNSAFE = /[^!-$&-z|~]/gu;

/**
 * The names of all that a broker keeps in Redis. They begin with the prefix, so a user may be given rights by it (`~tutti:*`, `&tutti:*`); what
 * belongs together has its slot in common by the tag in braces.
 */
export class Names {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = encoded(prefix);
  }

  /**
   * The keys of a channel, in the order in which scripts take them: its log, its events, two halves of each book, its snapshot; and its topic, last.
   *
   * @throws TuttiError `CHANNEL_INVALID`
   */
  channel(channel: string): readonly string[] {
    if (channel === "" || channel.length > CHANNEL_CHARACTERS_MAX) throw new TuttiError("CHANNEL_INVALID");
    const base = `${this.#prefix}:{${encoded(channel)}}:`;
    return PARTS.map((part) => base + part);
  }

  /** On which the events of a channel are delivered. */
  runs(channel: string): string {
    return `${this.#prefix}:{${encoded(channel)}}:runs`;
  }

  /** On which the broadcasts of a topic are. */
  topic(topic: string): string {
    return `${this.#prefix}:{${encoded(topic)}}:topic`;
  }

  /** On which a node hears itself through the server that has the tag. */
  echo(tag: string, node: string): string {
    return `${this.#prefix}:{${tag}}:echo:${node}`;
  }
}

const PARTS = ["log", "events", "publishers", "publishers:old", "keys", "keys:old", "snapshot", "runs"] as const;

/** An idempotency key as a book knows it: no longer than a digest, and of one principal alone. */
export function digestOf({ principal, key }: IdempotencyKey): string {
  return createHash("sha256").update(JSON.stringify([principal, key])).digest("base64url");
}

/** Different names stay different; lone surrogates too. */
function encoded(name: string): string {
  return name.replace(UNSAFE, (unit) => `%${unit.codePointAt(0)?.toString(16)};`);
}
