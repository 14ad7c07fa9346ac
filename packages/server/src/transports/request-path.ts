import type { IncomingMessage } from "node:http";

/** The path that a request names, as it stands there: nothing is decoded or resolved. */
export function pathOf({ url = "" }: IncomingMessage): string {
  const [path = ""] = url.split("?", 1);
  return path;
}
