import { defineConfig } from "vitest/config";

// Tests import the built package in dist/: workers cannot load TypeScript on Node 20, and what ships is what is tested.
// `forks`, because in vitest's thread pool the test itself would not be the main thread.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/runner/stuck-watch.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
