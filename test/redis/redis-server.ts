// The server that the example starts too.
export { missing, RedisServer } from "../../examples/agent-platform/redis-server.js";
