// Guards the layers: arrows between packages run one way, in imports and in package.json,
// and no relative import leaves its package. (What the cores may not touch is in .oxlintrc.json.)
import { dirname, join, relative } from "node:path";
import { readManifest, readText, report, root, typescriptFiles, workspaceFolders } from "./workspaces.mjs";

/** What each part of the project may depend on, besides itself. A new package is added here. */
/** @type {Record<string, string[]>} */
const below = {
  "@tutti/protocol": [],
  "@tutti/server": ["@tutti/protocol"],
  "@tutti/client": ["@tutti/protocol"],
  "@tutti/testkit": ["@tutti/protocol", "@tutti/server", "@tutti/client"],
  // A broker knows the server's interface, and nothing of clients.
  "@tutti/lmdb": ["@tutti/protocol", "@tutti/server"],
  "@tutti/redis": ["@tutti/protocol", "@tutti/server"],
  // The testkit reaches people as tutti/testing, and from no other door.
  tutti: ["@tutti/protocol", "@tutti/server", "@tutti/client", "@tutti/testkit"],
  // An application uses what people install, so that it shows that this is enough.
  "@tutti/canvas": ["tutti", "@tutti/lmdb", "@tutti/redis"],
  // Starts programs of others, and knows nothing of ours.
  "@tutti/cluster": [],
  "@tutti/bench": ["@tutti/protocol", "@tutti/server", "@tutti/client", "@tutti/testkit", "@tutti/lmdb", "@tutti/redis", "@tutti/cluster"],
  "@tutti/tests": ["@tutti/protocol", "@tutti/server", "@tutti/client", "@tutti/testkit", "@tutti/lmdb", "@tutti/redis", "@tutti/cluster", "tutti", "@tutti/canvas"],
};

/** A package's tests may also use the testkit, whose suites and clocks they run on. */
const forTests = ["@tutti/protocol", "@tutti/server", "@tutti/client", "@tutti/testkit", "@tutti/cluster"];

/** Only this file of `tutti` may import the testkit: it must not reach an application's bundle. */
const doorOfTestkit = "packages/tutti/src/testing.ts";

/** Matches `from "x"`, `import "x"` and `import("x")`. */
const specifierPattern = /(?:\bfrom|\bimport)\s*\(?\s*(["'])([^"'\n]+)\1/g;
const commentPattern = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm;

/** The project's package that a specifier names, if it names one. @param {string} specifier */
const ownPackage = (specifier) =>
  Object.keys(below).find((name) => specifier === name || specifier.startsWith(`${name}/`)) ??
  (specifier.startsWith("@tutti/") ? specifier : undefined);

/** @type {string[]} */
const problems = [];
let fileCount = 0;

for (const folder of workspaceFolders()) {
  const manifest = readManifest(folder);
  const name = manifest.name;
  const allowed = below[name];
  if (allowed === undefined) {
    problems.push(`${folder}/package.json: ${name} has no place among the layers; give it one in scripts/check-layers.mjs`);
    continue;
  }

  const shipped = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies };
  for (const dependency of Object.keys(shipped)) {
    const target = ownPackage(dependency);
    if (target && !allowed.includes(target)) problems.push(`${folder}/package.json: ${name} may not depend on ${target}`);
  }
  for (const dependency of Object.keys(manifest.devDependencies ?? {})) {
    const target = ownPackage(dependency);
    if (target && !allowed.includes(target) && !forTests.includes(target))
      problems.push(`${folder}/package.json: the tests of ${name} may not use ${target}`);
  }

  for (const file of typescriptFiles(folder)) {
    fileCount += 1;
    const isTest = file.startsWith(`${folder}/test/`);
    for (const [, , specifier = ""] of readText(file).replace(commentPattern, "").matchAll(specifierPattern)) {
      if (specifier.startsWith(".")) {
        const target = relative(join(root, folder), join(root, dirname(file), specifier));
        if (target.startsWith("..")) problems.push(`${file}: "${specifier}" leaves the package`);
        continue;
      }
      const target = ownPackage(specifier);
      if (target === undefined || target === name) continue;
      const permitted = isTest ? [...allowed, ...forTests] : allowed;
      if (!permitted.includes(target)) problems.push(`${file}: ${name} may not import ${target}`);
      else if (target === "@tutti/testkit" && name === "tutti" && !isTest && file !== doorOfTestkit)
        problems.push(`${file}: only ${doorOfTestkit} may import ${target}`);
    }
  }
}

report("layers", problems, `${fileCount} files, every arrow runs the right way`);
