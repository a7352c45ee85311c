import { fileURLToPath } from "node:url";

const from = (path) => fileURLToPath(new URL(path, import.meta.url));

export default {
  output: "standalone",
  cacheComponents: true,
  cacheHandlers: { default: from("cache.js") },
  experimental: { cpus: 3 },
  outputFileTracingRoot: from(".."),
  turbopack: { root: from("..") },
};
