// Real processes for the tests of `undercroft dashboard`: a cache, and the command over it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const command = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
const program = fileURLToPath(new URL("../operators/operator-process.mjs", import.meta.url));

export class Processes {
  readonly #children: ChildProcess[] = [];
  readonly #runtime: string;

  /** `runtime`: the folder for the sockets of caches without a disk. */
  constructor(runtime: string) {
    this.#runtime = runtime;
  }

  #spawn(words: readonly string[]): { child: ChildProcess; lines: Interface } {
    const child = spawn(process.execPath, words, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, XDG_RUNTIME_DIR: this.#runtime },
    });
    this.#children.push(child);
    return { child, lines: createInterface({ input: child.stdout as Readable }) };
  }

  /** A cache; `tell` makes it do what operator-process.mjs knows. */
  async cache(options: object): Promise<{ tell(line: string): Promise<void> }> {
    const { child, lines } = this.#spawn([program, JSON.stringify(options)]);
    const said = lines[Symbol.asyncIterator]();
    await said.next();
    return {
      tell: async (line) => {
        child.stdin?.write(`${line}\n`);
        await said.next();
      },
    };
  }

  /** The command, once it has printed its address. `ended` is its status and what it warned of. */
  async dashboard(words: readonly string[]) {
    const { child, lines } = this.#spawn([command, "dashboard", ...words]);
    let warned = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (warned += text));
    const ended = once(child, "close").then(([code]) => ({ code: code as number | null, warned }));
    const first = await Promise.race([once(lines, "line"), ended]);
    return { url: Array.isArray(first) ? String(first[0]) : "", child, ended };
  }

  async end(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    }
  }
}
