import { defineConfig } from "vite";

/** The page of the canvas; its server is compiled by `tsc -b` into `dist/server`. */
export default defineConfig({
  root: import.meta.dirname + "/src/page",
  build: {
    outDir: import.meta.dirname + "/dist/page",
    emptyOutDir: true,
  },
});
