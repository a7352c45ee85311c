// A real redis-server, for many.ts, tests and benchmarks: found by UNDERCROFT_REDIS_SERVER or on
// PATH, else unpacked from Debian's packages into a folder that stays. Without one, `missing` says
// why.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createClient } from "@redis/client";

interface Program {
  readonly path: string;
  readonly libraries: string;
}

/** What the server of Debian needs beside what every system has. */
const packages = ["redis-tools", "libjemalloc2", "liblzf1", "liblua5.1-0"];

let reason = "";
const program = find();

/** Why there is no server; undefined if there is one. */
export const missing: string | undefined = program === undefined ? reason : undefined;
if (missing !== undefined) {
  process.stderr.write(`\nSKIPPED: what needs a real Redis server: ${missing}\n\n`);
}

function find(): Program | undefined {
  const given = process.env["UNDERCROFT_REDIS_SERVER"];
  if (given !== undefined) return { path: given, libraries: "" };
  const onPath = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "redis-server"))
    .find((path) => existsSync(path));
  if (onPath !== undefined) return { path: onPath, libraries: "" };
  const folder = join(tmpdir(), "undercroft-redis-server");
  try {
    if (!existsSync(folder)) unpack(folder);
  } catch (error) {
    const text = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    reason = `it is not on PATH, and Debian's packages cannot be unpacked (${text})`;
    return undefined;
  }
  const libraries = readdirSync(join(folder, "usr/lib")).map((name) =>
    join(folder, "usr/lib", name),
  );
  const path = join(folder, "usr/bin/redis-check-rdb");
  return { path, libraries: libraries.join(delimiter) };
}

/** All or nothing: another process may do the same. */
function unpack(folder: string): void {
  const partial = `${folder}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  try {
    const options = { cwd: partial, stdio: "pipe", timeout: 60_000 } as const;
    for (const name of packages) {
      try {
        execFileSync("apt-get", ["download", name], options);
      } catch (error) {
        if (name === "redis-tools") throw error; // the others may be there, or not be needed
      }
    }
    for (const file of readdirSync(partial).filter((name) => name.endsWith(".deb"))) {
      execFileSync("dpkg-deb", ["-x", file, "."], options);
    }
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class RedisServer {
  readonly port: number;
  #child: ChildProcess | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await freePort());
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, empty. */
  async restart(): Promise<void> {
    if (program === undefined) throw new Error(missing);
    const options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    // The name says what the program is: redis-check-rdb is the same one.
    this.#child = spawn(program.path, ["--port", String(this.port), ...options], {
      argv0: "redis-server",
      env: { ...process.env, LD_LIBRARY_PATH: program.libraries },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.#child;
    let printed = "";
    await new Promise<void>((resolve, reject) => {
      const take = (data: Buffer): void => {
        printed += data.toString();
        if (printed.includes("Ready to accept connections")) resolve();
      };
      stdout?.on("data", take);
      stderr?.on("data", take);
      this.#child?.once("exit", () => reject(new Error(`redis-server ended: ${printed}`)));
    });
  }

  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  /** One command on a connection of its own. */
  async send(...words: string[]): Promise<unknown> {
    const client = createClient({ url: this.url });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return await client.sendCommand(words);
    } finally {
      client.destroy();
    }
  }

  /** Cuts the connections of all clients but the one that asks. */
  async cut(): Promise<void> {
    await this.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  }

  /** How many keys it has of a kind (scripts.ts). */
  async keys(pattern: string): Promise<string[]> {
    return (await this.send("KEYS", pattern)) as string[];
  }
}
