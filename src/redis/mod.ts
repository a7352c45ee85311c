// The entry "undercroft/redis": a tier in a Redis or Valkey server, over the caller's client.
export { redisTier, type RedisTierOptions } from "./redis-tier.js";
