// A next.config.js: docs/guides/next.md.
import { fileURLToPath } from "node:url";

const nextConfig = {
  cacheComponents: true,
  cacheHandlers: { default: fileURLToPath(new URL("cache.js", import.meta.url)) },
};

export default nextConfig;

console.log(nextConfig.cacheHandlers.default.endsWith("cache.js")); // true
