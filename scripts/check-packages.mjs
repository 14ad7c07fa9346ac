// Guards what people install: the files of each published package, its package.json (publint),
// and that its types and its code resolve for ESM (are the types wrong).
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { publishedFolders, readManifest, readText, report, root } from "./workspaces.mjs";

const attw = createRequire(import.meta.url).resolve("@arethetypeswrong/cli/package.json").replace("package.json", "dist/index.js");
const mayShip = /^(dist\/.*\.(js|d\.ts|map)|src\/.*\.ts|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/;
const mustShip = ["package.json", "LICENSE"];

/** @param {string} folder */
const checkContents = (folder) => {
  const packed = spawnSync("npm", ["pack", "--dry-run", "--json"], { cwd: join(root, folder), encoding: "utf8", shell: process.platform === "win32" });
  if (packed.status !== 0) return [`npm pack failed: ${packed.stderr}`];
  /** @type {string[]} */
  const files = JSON.parse(packed.stdout)[0].files.map((/** @type {{ path: string }} */ file) => file.path);
  const problems = files.filter((file) => !mayShip.test(file)).map((file) => `ships ${file}`);
  for (const file of mustShip) if (!files.includes(file)) problems.push(`does not ship ${file}`);
  if (!files.some((file) => file.startsWith("dist/"))) problems.push("is not built");
  if (files.includes("LICENSE") && readFileSync(join(root, folder, "LICENSE"), "utf8") !== readText("LICENSE"))
    problems.push("its LICENSE differs from the one at the root");
  return problems;
};

/** @param {string} folder */
const checkManifest = async (folder) => {
  const { messages, pkg } = await publint({ pkgDir: join(root, folder), strict: true });
  return messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code);
};

/** @param {string} folder */
const checkTypes = (folder) => {
  const run = spawnSync(process.execPath, [attw, "--pack", folder, "--profile", "esm-only", "--no-color", "--no-emoji"], { cwd: root, encoding: "utf8" });
  return run.status === 0 ? [] : [`are the types wrong?\n${run.stdout}${run.stderr}`];
};

/** @type {string[]} */
const problems = [];
for (const folder of publishedFolders) {
  const { name } = readManifest(folder);
  const found = [...checkContents(folder), ...(await checkManifest(folder)), ...checkTypes(folder)];
  problems.push(...found.map((problem) => `${name}: ${problem}`));
}
report("packages", problems, `${publishedFolders.length} packages can be published`);
