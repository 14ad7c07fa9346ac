import { TuttiError } from "tutti/contract";
import { tell } from "./toast.js";

/** A change that shows before the server has agreed to it. */
interface Change {
  readonly type: string;
  readonly payload: unknown;
}

/** What a person calls the change. */
function nameOf({ type, payload }: Change): string {
  const sets = (field: string) => typeof payload === "object" && payload !== null && field in payload;
  switch (type) {
    case "concept:create":
      return "The new concept";
    case "concept:update":
      if (sets("text")) return "The new text";
      return sets("colour") ? "The new colour" : "The move";
    case "arrow:create":
      return "The new arrow";
    case "concept:delete":
    case "arrow:delete":
      return "The deletion";
    case "chat:post":
      return "Your message";
    case "canvas:create":
      return "The new canvas";
    case "canvas:rename":
      return "The new name";
    default:
      return "A change";
  }
}

/** Why something was refused, for a person. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof TuttiError)) return "Something went wrong.";
  switch (error.code) {
    case "QUEUE_FULL":
      return "No more changes can be kept until the connection is back.";
    case "QUEUE_EXPIRED":
      return "It waited for a connection for too long.";
    case "STORAGE_FAILED":
      return "This browser has no room to keep it.";
    case "USER_CHANGED":
      return "It was made by another guest.";
    case "NOT_CONNECTED":
      return "There is no connection just now.";
    case "TIMEOUT":
      return "The server did not answer in time.";
    case "OUTCOME_UNKNOWN":
      return "The connection broke at the wrong moment.";
    case "INTERNAL":
      return "The server could not do it.";
    default:
      return error.message;
  }
}

/** That a change was not saved, and why. Nothing for what the page ended itself. */
export function refusalOf(change: Change, error: unknown): string | undefined {
  const code = error instanceof TuttiError ? error.code : undefined;
  if (code === "CLIENT_CLOSED") return undefined;
  return `${nameOf(change)} ${code === "OUTCOME_UNKNOWN" ? "may not have been saved" : "was not saved"}. ${reasonOf(error)}`;
}

/** Says so; once, however often it is told. Where the change was shown, Tutti has taken it back by itself. */
export function tellRefusal(change: Change, error: unknown): void {
  const sentence = refusalOf(change, error);
  if (sentence !== undefined) tell(sentence);
}
