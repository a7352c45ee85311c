// Another process that has a directory open (directory-owner.mjs), as a test drives it.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

type Step = { readonly step: string } & Readonly<Record<string, unknown>>;

/** A process that has a directory open; it ends with the test. */
export class Owner {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(path: string, options: object = {}): Promise<Owner> {
    const program = fileURLToPath(new URL("directory-owner.mjs", import.meta.url));
    const child = fork(program, [path, JSON.stringify(options)], { execArgv: [] });
    const owner = new Owner(child);
    onTestFinished(() => owner.kill());
    await once(child, "message");
    return owner;
  }

  async does(step: Step): Promise<void> {
    this.#child.send(step);
    await once(this.#child, "message");
  }

  async close(): Promise<void> {
    await this.does({ step: "close" });
    await this.#ended();
  }

  /** Ends it with SIGKILL, as a crash would. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGKILL");
    }
    await this.#ended();
  }

  async #ended(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    await once(this.#child, "exit");
  }
}
