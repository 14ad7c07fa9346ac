// Guards what a page has to load: createClient, minified and gzipped, stays under a limit and brings no other package. What an application may
// load beside it is told, and not limited.
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { report, root } from "./workspaces.mjs";

// socket.io-client 4.8.4 weighs 12,749 bytes, built and measured in the same way.
const limitBytes = 12_500;
const entry = "virtual:entry";
const beside = ["indexedDbStorage", "memoryStorage", "undoHistory", "select"];

/** The package that a module of the bundle comes from, when it is not one of ours. @param {string} id */
const foreignPackage = (id) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1];

/** The bundle of an application that imports these names of the client. @param {readonly string[]} names */
async function bundle(names) {
  const list = names.join(", ");
  const result = await build({
    configFile: false,
    root: join(root, "packages/client"),
    logLevel: "warn",
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === entry ? id : undefined),
        // Assigned to a global, as a page would hold on to it: nothing that it needs is shaken off.
        load: (id) => (id === entry ? `import { ${list} } from "@tutti/client"; globalThis.application = [${list}];` : undefined),
      },
    ],
    build: {
      write: false,
      minify: true,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: { input: entry, external: ["ws"] },
    },
  });
  const outputs = (Array.isArray(result) ? result : [result]).flatMap((part) => ("output" in part ? part.output : []));
  const all = outputs.filter((output) => output.type === "chunk");
  // What an application loads when it needs it, and not before: a chunk of its own, of which a page may never load any.
  const [chunks, later] = [all.filter(isAtOnce(all)), all.filter((chunk) => !isAtOnce(all)(chunk))];
  return {
    chunks,
    minifiedBytes: chunks.reduce((sum, chunk) => sum + Buffer.byteLength(chunk.code), 0),
    gzippedBytes: chunks.reduce((sum, chunk) => sum + gzipped(chunk), 0),
    later: later.map((chunk) => `${chunk.name} ${gzipped(chunk)}`),
  };
}

/** @param {{ readonly code: string }} chunk */
function gzipped({ code }) {
  return gzipSync(code, { level: 9 }).length;
}

/** Whether a chunk is loaded with the entry: it is the entry, or what that imports. @param {readonly import("vite").Rolldown.OutputChunk[]} chunks */
function isAtOnce(chunks) {
  const atOnce = new Set(chunks.filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName));
  // A set goes on to what was added to it meanwhile.
  for (const fileName of atOnce) for (const imported of chunks.find((chunk) => chunk.fileName === fileName)?.imports ?? []) atOnce.add(imported);
  /** @param {{ readonly fileName: string }} chunk */
  return ({ fileName }) => atOnce.has(fileName);
}

const { chunks, minifiedBytes, gzippedBytes } = await bundle(["createClient"]);
const adaptive = await bundle(["createClient", "adaptiveTransport"]);
const more = await Promise.all(beside.map(async (name) => `${name} +${(await bundle(["createClient", name])).gzippedBytes - gzippedBytes}`));

/** @type {string[]} */
const problems = [];
const foreign = new Set(chunks.flatMap((chunk) => chunk.moduleIds.map(foreignPackage)).filter((name) => name !== undefined));
for (const name of foreign) problems.push(`${name} is in the client's bundle`);
const size = `createClient for browsers: ${minifiedBytes} bytes minified, ${gzippedBytes} gzipped (limit ${limitBytes}); beside it ${more.join(", ")}, adaptiveTransport +${adaptive.gzippedBytes - gzippedBytes}, which loads when it needs them ${adaptive.later.join(", ")}`;
if (gzippedBytes > limitBytes) {
  problems.push(size, "the largest modules, minified or not:");
  const modules = chunks.flatMap((chunk) => Object.entries(chunk.modules));
  for (const [id, module] of modules.toSorted(([, a], [, b]) => b.renderedLength - a.renderedLength).slice(0, 10))
    problems.push(`  ${module.renderedLength} ${id.replace(root, "")}`);
}
report("bundle size", problems, size);
