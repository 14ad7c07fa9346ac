import { TuttiError, oneOf, record, text, type Shape, type ValueOf } from "@tutti/protocol";
import { targetShape as target } from "../target.js";
import { entryShape } from "./entered-nodes.js";

/** How much of a reason is told. */
export const REASON_CHARACTERS_MAX = 1024;

const channel = text(128, 1);
const reason = text(REASON_CHARACTERS_MAX);
const entry = text(64, 1);

/**
 * What the application does to people, and which nodes carry it out, by type, as the log of commands has it. Fields that are not here are passed over: a
 * newer node may write more.
 */
const shapes = {
  /** Puts somebody into a channel. */
  add: record({ channel, target }),
  /** Takes somebody out who was put in, and ends the subscriptions. */
  evict: record({ channel, target, code: oneOf("KICKED", "SUBSCRIPTION_REVOKED"), reason }),
  /** Ends connections. */
  disconnect: record({ target, reason }),
  /** Ends a channel: nobody is in it any more, and nobody comes in. */
  close: record({ channel }),
  /** Takes back `close`. */
  reopen: record({ channel }),
  /** A node may deliver from here on: it has taken what stands before, and commands that come after wait for it. */
  enter: entryShape,
  /** It delivers nothing any more. */
  leave: record({ entry }),
  /** It was not heard for long, and is to enter anew if it lives. */
  strike: record({ entry }),
} satisfies Readonly<Record<string, Shape<object>>>;

type Shapes = typeof shapes;
export type Command = { [Type in keyof Shapes]: { readonly type: Type } & ValueOf<Shapes[Type]> }[keyof Shapes];
export type CommandOf<Type extends Command["type"]> = Extract<Command, { type: Type }>;

const byType: ReadonlyMap<string, Shape<object>> = new Map(Object.entries(shapes));

/** @throws TuttiError `TYPE_UNKNOWN`, `FRAME_INVALID` for what is no command, whoever wrote it */
export function readCommand({ type, payload }: { readonly type: string; readonly payload: unknown }): Command {
  const shape = byType.get(type);
  if (shape === undefined) throw new TuttiError("TYPE_UNKNOWN", { message: `no command is called "${type.slice(0, 64)}"`, field: "type" });
  return { ...shape.read(payload, "payload"), type } as Command;
}
