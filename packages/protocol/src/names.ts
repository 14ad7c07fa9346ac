import { TuttiError } from "./errors.js";

const CHANNEL_CHARACTERS_MAX = 128;
const NAME = /^[\p{L}\p{N}_.~@=+-]+(:[\p{L}\p{N}_.~@=+-]+){1,2}$/u;
const TYPE = /^[A-Za-z0-9_.:-]{1,64}$/;

/** Whether `name` is a channel's name: `entity:id` or `entity:id:subgroup`, in Unicode's NFC. */
export function isChannelName(name: string): boolean {
  return name.length <= CHANNEL_CHARACTERS_MAX && name === name.normalize("NFC") && NAME.test(name);
}

/** @throws TuttiError `CHANNEL_INVALID`, also where the name has another number of segments than it should */
export function assertChannelName(name: string, segments = name.split(":").length): void {
  if (isChannelName(name) && name.split(":").length === segments) return;
  throw new TuttiError("CHANNEL_INVALID", { message: `"${name.slice(0, 40)}" is no channel`, field: "channel" });
}

/** The first segment of a channel's name, which carries policy; or of a type. */
export function namespaceOf(name: string): string {
  return name.replace(/:.*/, "");
}

/** Whether `type` can name an event, signal or call, as in `concept:update` or `v1:item.updated`. */
export function isTypeName(type: string): boolean {
  return TYPE.test(type);
}
