// Draws the pictures of docs/ anew. Needs a Chromium, and what `npm run build` makes.
import { findChromium } from "./machine.mjs";

process.env["TUTTI_CHROMIUM"] = findChromium() ?? "";
if (process.env["TUTTI_CHROMIUM"] === "") throw new Error("there is no Chromium on this machine");

const program = new URL("../tests/dist/browser/screenshots.js", import.meta.url);
await import(program.href);
