import type { TuttiError, WireError } from "./errors.js";
import { present } from "./present.js";

/** How many characters of an error's texts travel. A path through a payload can be as long as the payload. */
export const CODE_CHARACTERS_MAX = 64;
export const MESSAGE_CHARACTERS_MAX = 1024;
export const FIELD_CHARACTERS_MAX = 256;

/** The error as it travels: no stack, no cause, and no text longer than a peer reads. Apart from the error, since only a server sends one. */
export function wireErrorOf({ code, message, field, retryAfterMs, data }: TuttiError): WireError {
  return {
    code: code.slice(0, CODE_CHARACTERS_MAX),
    message: message.slice(0, MESSAGE_CHARACTERS_MAX),
    ...present({ field: field?.slice(0, FIELD_CHARACTERS_MAX), retryAfterMs, data }),
  };
}
