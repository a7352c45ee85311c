import { fileURLToPath } from "node:url";

const from = (path) => fileURLToPath(new URL(path, import.meta.url));

export default {
  output: "standalone",
  cacheHandler: from("cache.js"),
  cacheMaxMemorySize: 0,
  experimental: { cpus: 3 },
  outputFileTracingRoot: from(".."),
  turbopack: { root: from("..") },
};
