import { createHash } from "node:crypto";
import { TuttiError } from "tutti/contract";
import { createServer, type Broker, type Server } from "tutti/server";
import { conceptsMax, type Canvas } from "../canvas.js";
import { isCanvasId } from "../canvas-id.js";
import { contract } from "../contract.js";
import { tidyPlaces } from "./tidy.js";

export type CanvasServer = Server<typeof contract>;

const arrowsMax = 2 * conceptsMax;

/**
 * Who shows the same token is the same guest; others see only what is made of it, and cannot pose as them. That is enough for a
 * demonstration. An application with accounts verifies a token of its own here.
 */
function guestOf(token: string | undefined): { readonly id: string } {
  if (token === undefined || !/^[a-z0-9]{24}$/.test(token)) throw new TuttiError("TOKEN_INVALID", { message: "This is not the token of a guest." });
  return { id: `guest-${createHash("sha256").update(token).digest("base64url").slice(0, 12)}` };
}

/** The whole server of the canvas: who may come in, which canvases there are, and what is refused on them. The rest is in the contract. */
export function createCanvasServer(broker: Broker): CanvasServer {
  const server: CanvasServer = createServer({
    contract,
    broker,
    authenticate: ({ token }) => guestOf(token),
    channels: {
      "canvas:{id}": {
        exists: ({ params }) => isCanvasId(params.id),
        publish: {
          "concept:create": async ({ params }) => {
            if ((await stateOf(params.id)).concepts.length >= conceptsMax) throw full("concepts", conceptsMax);
          },
          "arrow:create": async ({ params }) => {
            if ((await stateOf(params.id)).arrows.length >= arrowsMax) throw full("arrows", arrowsMax);
          },
        },
        calls: {
          "canvas:tidy": async ({ params }) => {
            const canvas = server.channel("canvas:{id}", params);
            const places = tidyPlaces(await stateOf(params.id));
            // All at once, so that they share a flush of the log.
            await Promise.all(Array.from(places, ([id, { x, y }]) => canvas.publish("concept:update", { id, x, y })));
            return { moved: places.size };
          },
        },
      },
    },
  });

  const stateOf = async (id: string): Promise<Canvas> => (await server.channel("canvas:{id}", { id }).state()).state;

  return server;
}

/** A code of the application's own: the client takes the change back and shows the sentence. */
function full(things: string, max: number): TuttiError {
  return new TuttiError("CANVAS_FULL", { message: `This canvas is full: it holds ${max} ${things}.` });
}
