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
  { id: "offline", text: "Stop the server: your edits wait for it", x: 270, y: 65, colour: "orange" },
];

const arrows = [
  ["welcome", "create"],
  ["welcome", "move"],
  ["welcome", "arrow"],
  ["create", "window"],
  ["arrow", "offline"],
] as const;

/** A first canvas for whoever comes. What an application publishes itself goes the same way as what its clients do. */
export async function putWelcomeCanvas(server: CanvasServer): Promise<void> {
  await server.channel("lobby:main", {}).publish("canvas:create", { id: welcomeCanvasId, name: "Start here" });
  const canvas = server.channel("canvas:{id}", { id: welcomeCanvasId });
  for (const concept of concepts) await canvas.publish("concept:create", concept);
  for (const [from, to] of arrows) await canvas.publish("arrow:create", { id: `${from}to${to}`, from, to });
  await canvas.publish("chat:post", { text: "Hello! This chat belongs to the canvas, like everything on it.", name: "Tutti", colour: "violet" });
}
