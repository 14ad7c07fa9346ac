// Writes docs/ERRORS.md from the error registry of @tutti/protocol, as it was built;
// with --check it writes nothing and fails when the page is not what the registry says.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readText, report, root } from "./workspaces.mjs";

const page = "docs/ERRORS.md";
const built = join(root, "packages/protocol/dist/index.js");

/** @typedef {{ category: string, retry: string, closeCode?: number }} ErrorEntry */

/** What the client's application does about an error of each category. @type {Record<string, string>} */
const categories = {
  connection: "Nothing is lost: the client reconnects by itself with backoff. Show that it does.",
  protocol: "One end does not speak the protocol: a bug, or versions that do not fit. Report it.",
  authentication: "Refresh the token and reconnect, or sign the user in again.",
  authorisation: "Show it. The same again gives the same answer.",
  validation: "Show it, and let the user correct what was sent.",
  "rate-limit": "Back off; what waits is sent later.",
  room: "Go back to the list of rooms.",
  delivery: "What became of a publish or a call; the code says whether to send it again.",
  server: "Try once more, then show it.",
  application: "The application's own codes; what they mean is up to it.",
};

/** What each value of `retry` means. @type {Record<string, string>} */
const retries = {
  never: "The same again gives the same answer.",
  reconnect: "The client reconnects by its backoff.",
  refresh: "The client fetches a new token and reconnects.",
  backoff: "The client sends the same again after a pause.",
  resend: "The client sends again at once, in order.",
  once: "The application may try once more; the client does not by itself.",
};

/** @param {string} text */
const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

/** @param {Record<string, ErrorEntry>} registry @param {Record<string, string>} remedies */
const render = (registry, remedies) => {
  const entries = Object.entries(registry);
  const used = [...new Set(entries.map(([, entry]) => entry.category))];
  const usedRetries = [...new Set(entries.map(([, entry]) => entry.retry))];
  for (const category of used) if (!categories[category]) throw new Error(`The category ${category} is not described in scripts/write-errors-doc.mjs`);
  for (const retry of usedRetries) if (!retries[retry]) throw new Error(`The retry policy ${retry} is not described in scripts/write-errors-doc.mjs`);
  const lines = [
    "# Errors",
    "",
    "<!-- Written by `npm run docs:errors` from the registry in @tutti/protocol. Change it there. -->",
    "",
    "Every error of Tutti is a `TuttiError` with one of these codes. Branch on `code`, never on the message.",
    "A code with a close code ends the WebSocket with it; after any other the connection goes on.",
    "",
    "| retry | meaning |",
    "|---|---|",
    ...usedRetries.map((retry) => `| \`${retry}\` | ${retries[retry]} |`),
  ];
  for (const category of used) {
    lines.push("", `## ${category}`, "", categories[category] ?? "", "", "| code | retry | close code | what to do |", "|---|---|---|---|");
    for (const [code, entry] of entries) {
      if (entry.category !== category) continue;
      lines.push(`| \`${code}\` | ${entry.retry} | ${entry.closeCode ?? "–"} | ${cell(remedies[code] ?? "")} |`);
    }
  }
  return `${lines.join("\n")}\n`;
};

const main = async () => {
  if (!existsSync(built)) return report("errors doc", ["@tutti/protocol is not built; run `npx tsc -b packages/protocol`"], "");
  /** @type {{ errorRegistry?: Record<string, ErrorEntry>, remedies?: Record<string, string> }} */
  const { errorRegistry: registry, remedies } = await import(built);
  if (!registry || !remedies) return report("errors doc", ["@tutti/protocol does not export errorRegistry and remedies"], "");

  const text = render(registry, remedies);
  const problems = Object.keys(registry)
    .filter((code) => !remedies[code])
    .map((code) => `${code} has no remedy`);
  const summary = `${Object.keys(registry).length} codes in ${page}`;
  if (process.argv.includes("--check")) {
    const found = existsSync(join(root, page)) ? readText(page) : "";
    if (found !== text) problems.push(`${page} is not what the registry says; run \`npm run docs:errors\``);
  } else {
    writeFileSync(join(root, page), text);
  }
  return report("errors doc", problems, summary);
};

await main();
