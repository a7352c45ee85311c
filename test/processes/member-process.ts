// A process that shares a directory (member.mjs), as a test drives it.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";

const program = fileURLToPath(new URL("member.mjs", import.meta.url));

interface Told {
  readonly event: string;
  readonly code?: string;
  readonly role?: string;
  readonly kind?: string;
}

interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly message: string; readonly code?: string };
}

export interface MemberOptions {
  readonly disk?: object;
  readonly cache?: object;
}

/** What a call of a member rejects with. */
export class MemberError extends Error {
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

/** Waits until `condition` is true; throws after half a minute. */
async function eventually(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { interval: 5, timeout: 30_000 }).toBe(true);
}

export class Member {
  readonly #child: ChildProcess;
  readonly #replies = new Map<number, (reply: Reply) => void>();
  readonly told: Told[] = [];
  #ids = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message: Told | Reply) => {
      if ("event" in message) this.told.push(message);
      else {
        this.#replies.get(message.id)?.(message);
        this.#replies.delete(message.id);
      }
    });
  }

  /** Starts a process; it ends with the test. */
  static async start(path: string, options: MemberOptions = {}): Promise<Member> {
    const child = fork(program, [path, JSON.stringify(options)], { execArgv: [] });
    const member = new Member(child);
    onTestFinished(() => member.kill());
    await member.until("open");
    return member;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Calls a method of its cache (member.mjs); `thread`: in its thread. */
  async call<T = unknown>(call: string, given: object = {}, thread = false): Promise<T> {
    const id = ++this.#ids;
    const answered = new Promise<Reply>((resolve) => this.#replies.set(id, resolve));
    this.#child.send({ id, call, inThread: thread, ...given });
    const { value, error } = await answered;
    if (error !== undefined) throw new MemberError(error.message, error.code);
    return value as T;
  }

  get(key: string): Promise<unknown> {
    return this.call("get", { key });
  }

  /** Sets a key, for all processes. */
  async set(key: string, value: unknown, set: object = {}): Promise<void> {
    await this.call("set", { key, value, set });
    await this.call("flush");
  }

  async role(): Promise<string | undefined> {
    const { processes } = await this.call<{ processes: { role: string } }>("stats");
    return processes.role;
  }

  /** Resolves when it has told of an event, `count` times in all. */
  async until(event: string, count = 1): Promise<void> {
    await eventually(() => this.told.filter((one) => one.event === event).length >= count);
  }

  /** Resolves when it has this role. */
  async untilRole(role: string): Promise<void> {
    await eventually(() => this.told.findLast((one) => one.event === "role")?.role === role);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async close(): Promise<void> {
    await this.call("close");
    await this.#ended();
  }

  /** Ends it with SIGKILL, as a crash would. */
  async kill(): Promise<void> {
    if (this.#isAlive) this.#child.kill("SIGKILL");
    await this.#ended();
  }

  get #isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async #ended(): Promise<void> {
    if (this.#isAlive) await once(this.#child, "exit");
  }
}
