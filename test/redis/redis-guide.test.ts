// The example of docs/guides/redis.md runs, over a real server, and prints what it says.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { missing, RedisServer } from "./redis-server.js";

describe.skipIf(missing !== undefined)("the guide", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.kill());

  test("prints what it says", async () => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["dist/examples/guides/redis-service.js", server.url],
      { cwd: root },
    );
    expect([stdout.trim().split("\n"), stderr]).toEqual([["Ada", "Ada", "Grace"], ""]);
  });
});
