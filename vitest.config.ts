import { defineConfig } from "vitest/config";
import { findChromium } from "./scripts/machine.mjs";

const here = import.meta.dirname;

/** Tests read the sources of the packages, so that they need no build. */
const alias = [
  { find: /^@tutti\/(protocol|server|client|testkit|lmdb|redis)$/, replacement: `${here}/packages/$1/src/index.ts` },
  { find: /^@tutti\/protocol\/msgpack$/, replacement: `${here}/packages/protocol/src/msgpack.ts` },
  { find: /^@tutti\/client\/node$/, replacement: `${here}/packages/client/src/node.ts` },
  { find: /^@tutti\/client\/(sse|stream|long-poll|poll)$/, replacement: `${here}/packages/client/src/transports/http/$1.ts` },
  { find: /^tutti\/client\/(node|sse|stream|long-poll|poll)$/, replacement: `${here}/packages/tutti/src/client-$1.ts` },
  { find: /^tutti\/(contract|server|client|testing|msgpack)$/, replacement: `${here}/packages/tutti/src/$1.ts` },
];

const project = (name: string, include: string, options: object = {}) => ({
  resolve: { alias },
  test: { name, include: [include], ...options },
});

export default defineConfig({
  test: {
    projects: [
      project("unit", "{packages/*,apps/*,bench,cluster}/test/**/*.test.ts"),
      project("integration", "tests/integration/**/*.test.ts", { testTimeout: 30_000, hookTimeout: 30_000 }),
      project("simulation", "tests/simulation/**/*.test.ts", { testTimeout: 60_000 }),
      project("browser", "tests/browser/**/*.test.ts", {
        testTimeout: 120_000,
        hookTimeout: 60_000,
        fileParallelism: false,
        env: { TUTTI_CHROMIUM: findChromium() ?? "" },
      }),
    ],
  },
});
