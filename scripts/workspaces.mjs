// What the checks share: where the packages are, and the files and imports in them.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "..");

/** The packages that people can install, in the order in which they build. */
export const publishedFolders = ["protocol", "server", "client", "testkit", "lmdb", "redis", "tutti"].map((name) => `packages/${name}`);

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {boolean} [private]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, string>} [optionalDependencies]
 * @property {Record<string, string>} [devDependencies]
 */

/** @param {string} path relative to the root */
export const readText = (path) => readFileSync(join(root, path), "utf8");

/** @param {string} folder relative to the root @returns {Manifest} */
export const readManifest = (folder) => JSON.parse(readText(`${folder}/package.json`));

/** The folders of all workspaces. @returns {string[]} */
export const workspaceFolders = () => JSON.parse(readText("package.json")).workspaces;

const generated = new Set(["node_modules", "dist", ".tsbuild"]);

/**
 * The TypeScript files below a folder, relative to the root and in a stable order.
 * @param {string} folder @returns {string[]}
 */
export const typescriptFiles = (folder) =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return generated.has(entry.name) ? [] : typescriptFiles(path);
      return /\.[cm]?tsx?$/.test(entry.name) ? [path] : [];
    });

/**
 * Prints the problems that a check found and sets the exit code.
 * @param {string} name @param {string[]} problems @param {string} summary printed when there are none
 */
export const report = (name, problems, summary) => {
  for (const problem of problems) console.error(`${name}: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  else console.log(`${name}: ${summary}`);
};
