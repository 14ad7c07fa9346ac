// Guards the habit "rule before code": every rule of docs/SPEC.md is named by a test,
// every rule that a test names stands in docs/SPEC.md, and no rule has two meanings.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readText, report, root, typescriptFiles } from "./workspaces.mjs";

const spec = "docs/SPEC.md";
const rulePattern = /^(?:[-*] )?\*\*([A-Z]{2,5}-\d+)\b/gm;
const idPattern = /\b[A-Z]{2,5}-\d+\b/g;
/** The title of a test or a group, also of a table of tests: `it("…"`, `test.each([…])("…"`, `describe.skipIf(x)("…"`. */
const titlePattern = /\b(?:it|test|describe)\b(?:\.\w+(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?)*\s*\(\s*(["'`])((?:\\.|(?!\1)[^\\])*)\1/g;

/** @type {string[]} */
const problems = [];

/** @type {Set<string>} */
const rules = new Set();
for (const [, id = ""] of readText(spec).matchAll(rulePattern)) {
  if (rules.has(id)) problems.push(`${spec}: ${id} stands there twice`);
  rules.add(id);
}
if (rules.size === 0) problems.push(`${spec}: no rule found; a rule is a line that starts with **ID-1**`);
const families = new Set([...rules].map((id) => id.replace(/-\d+$/, "")));

/** @type {Set<string>} */
const tested = new Set();
const folders = ["packages", "tests"].filter((folder) => existsSync(join(root, folder)));
for (const file of folders.flatMap(typescriptFiles)) {
  // The invariants of the simulation are checked after every seed, and the type tests by the compiler:
  // neither has titles, so they name their rules anywhere in the source.
  const isUntitled = file.startsWith("tests/simulation/") || file.startsWith("tests/types/");
  // The contract suite of brokers is shipped, so that every broker can run it.
  const isTest = file.startsWith("tests/") || /^packages\/[^/]+\/test\//.test(file) || /^packages\/testkit\/src\/broker-contract[\w-]*\.ts$/.test(file);
  if (!isTest) continue;
  const text = readText(file);
  const named = isUntitled ? [text] : [...text.matchAll(titlePattern)].map(([, , title = ""]) => title);
  for (const [id] of named.flatMap((title) => [...title.matchAll(idPattern)])) {
    // UTF-8 and its like look like an id; they count only when SPEC.md has rules of that family.
    if (!rules.has(id) && families.has(id.replace(/-\d+$/, ""))) problems.push(`${file}: names ${id}, which is not in ${spec}`);
    tested.add(id);
  }
}

for (const id of rules) if (!tested.has(id)) problems.push(`${spec}: no test names ${id}`);

report("rules", problems, `${rules.size} rules, each named by a test`);
