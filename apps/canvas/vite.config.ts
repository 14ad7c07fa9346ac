import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

const page = import.meta.dirname + "/src/page";
const worker = "service-worker";

/** Tells the service worker which build of the page it belongs to, and what that consists of. */
function listFiles(): Plugin {
  return {
    name: "list-files",
    enforce: "post",
    generateBundle(_options, bundle) {
      const chunk = bundle[`${worker}.js`];
      if (chunk?.type !== "chunk") throw new Error(`the build has no ${worker}.js`);
      const built = Object.values(bundle).map((output): [string, string | Uint8Array] => [output.fileName, output.type === "chunk" ? output.code : output.source]);
      const copied = readdirSync(`${page}/public`).map((name): [string, Buffer] => [name, readFileSync(`${page}/public/${name}`)]);
      const hash = createHash("sha256");
      for (const [, content] of [...built, ...copied]) hash.update(content);
      const names = [...built, ...copied].map(([name]) => name).filter((name) => name !== chunk.fileName && name !== "index.html");
      const files = ["/", ...names.map((name) => `/${name}`)];
      chunk.code = `const pageBuild = ${JSON.stringify({ version: hash.digest("hex").slice(0, 12), files })};\n${chunk.code}`;
    },
  };
}

/** The page of the canvas, and what shows it without a network; its server is compiled by `tsc -b` into `dist/server`. */
export default defineConfig({
  root: page,
  plugins: [listFiles()],
  build: {
    outDir: import.meta.dirname + "/dist/page",
    emptyOutDir: true,
    rolldownOptions: {
      input: { index: `${page}/index.html`, [worker]: `${import.meta.dirname}/src/worker/${worker}.ts` },
      // The worker is found by its name, which must not change, and governs the folder that it lies in.
      output: { entryFileNames: ({ name }) => (name === worker ? "[name].js" : "assets/[name]-[hash].js") },
    },
  },
});
