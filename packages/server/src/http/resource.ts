import { TuttiError } from "@tutti/protocol";
import { permitReading, permitTelling } from "../channels/permission.js";
import type { NodeState } from "../node-state.js";
import type { Asked } from "./asked.js";
import type { HttpCallers } from "./callers.js";
import { formatCursor } from "./cursor.js";
import { EventsResource, toldInBand } from "./events-resource.js";
import { etagOf, knows, seenBy } from "./etags.js";
import { freshAnswer, notModified, taggedAnswer } from "./json-answer.js";
import { lineOf } from "./records.js";
import type { HttpHandler, Route } from "./router.js";


/** What each channel is over HTTP: its events, its state, and who is there. @param path what the paths begin with */
export function channelRoutes(node: NodeState, callers: HttpCallers, path: string): readonly Route[] {
  const handler = (act: (asked: Asked) => void | Promise<void>): HttpHandler => {
    return async (request, exchange, params) => {
      const caller = await callers.callerOf(request);
      await act({ request, exchange, caller, policy: node.channels.policyOf(params.get("channel") ?? "") });
    };
  };
  const channel = `${path}/channels/{channel}`;
  const events = new EventsResource(node);
  const read = handler((asked) => events.read(asked));
  const state = handler((asked) => answerState(node, asked));
  const presence = handler((asked) => answerPresence(node, asked));
  return [
    { path: `${channel}/events`, handlers: { GET: toldInBand(read, node.services.log), HEAD: read, POST: handler((asked) => events.publish(asked)) } },
    { path: `${channel}/state`, handlers: { GET: state, HEAD: state } },
    { path: `${channel}/presence`, handlers: { GET: presence, HEAD: presence } },
  ];
}

async function answerState(node: NodeState, asked: Asked): Promise<void> {
  const { request, exchange, caller, policy } = asked;
  const { endedCount } = node.commands;
  await permitReading(node, caller, policy);
  if (policy.definition.state === undefined) throw new TuttiError("ROOM_NOT_FOUND", { message: `${policy.name} has no state` });
  const channel = await node.channels.open(policy);
  const { position } = channel;
  const snapshot = channel.snapshot();
  await permitTelling(node, caller, policy, endedCount);
  const etag = etagOf(formatCursor(position));
  if (knows(seenBy(request.headers), position)) exchange.answer(notModified(caller, etag));
  else exchange.answer(taggedAnswer(caller, etag, lineOf({ position: formatCursor(position), ...snapshot })));
}

async function answerPresence(node: NodeState, { exchange, caller, policy }: Asked): Promise<void> {
  const { endedCount } = node.commands;
  await permitReading(node, caller, policy);
  const { presence } = await node.channels.open(policy);
  const members = await presence.completeMembers();
  await permitTelling(node, caller, policy, endedCount);
  exchange.answer(freshAnswer(lineOf({ members, complete: presence.isComplete })));
}
