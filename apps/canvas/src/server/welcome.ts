import type { Colour } from "../palette.js";
import type { CanvasServer } from "./canvas-server.js";

/** Always the same, so that a link to it lasts. */
export const welcomeCanvasId = "start2g7";

const concepts: readonly { readonly id: string; readonly text: string; readonly x: number; readonly y: number; readonly colour: Colour }[] = [
  { id: "welcome", text: "Welcome to Tutti", x: -270, y: 0, colour: "violet" },
  { id: "create", text: "Double-click anywhere to add a concept", x: 0, y: -130, colour: "blue" },
  { id: "move", text: "Drag a concept to move it", x: 0, y: 0, colour: "teal" },
  { id: "arrow", text: "Pull the dot at its side to draw an arrow", x: 0, y: 130, colour: "green" },
  { id: "window", text: "Open this page in a second window and watch both", x: 270, y: -65, colour: "amber" },
  { id: "offline", text: "Stop the server, reload the page: your edits wait", x: 270, y: 65, colour: "orange" },
];

const arrows = [
  ["welcome", "create"],
  ["welcome", "move"],
  ["welcome", "arrow"],
  ["create", "window"],
  ["arrow", "offline"],
] as const;

/**
 * Puts a first canvas where there is none. It is listed last, and each of its parts has a key: a server that was stopped in between goes on
 * where it was, and what people have changed since then stays. What an application publishes goes the same way as what its clients do.
 */
export async function putWelcomeCanvas(server: CanvasServer): Promise<void> {
  const lobby = server.channel("lobby:main", {});
  if ((await lobby.state()).state.canvases.length > 0) return;
  const canvas = server.channel("canvas:{id}", { id: welcomeCanvasId });
  for (const concept of concepts) await canvas.publish("concept:create", concept, { key: concept.id });
  for (const [from, to] of arrows) {
    const id = `${from}to${to}`;
    await canvas.publish("arrow:create", { id, from, to }, { key: id });
  }
  const text = "Hello! This chat belongs to the canvas, like everything on it.";
  await canvas.publish("chat:post", { text, name: "Tutti", colour: "violet" }, { key: "hello" });
  await lobby.publish("canvas:create", { id: welcomeCanvasId, name: "Start here" }, { key: welcomeCanvasId });
}
