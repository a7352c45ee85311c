// `undercroft dashboard`: a page on loopback over what a running cache answers operators. Called by
// main.ts. The charts are of what this process has seen: the cache keeps nothing for it.
import { elapsedMs, monotonicMs, readAnchorMs } from "../../base/mod.js";
import {
  type Connection,
  type KeyAnswer,
  type KeyQuestion,
  NoAnswer,
  protocolVersion,
  type Refusal,
  type Sample,
} from "../../operators/mod.js";
import type { Output } from "../output.js";
import { connect } from "../top/target.js";
import { answerTimeoutMs, endWords, pause } from "../top/waiting.js";
import { type DashboardOptions, dashboardOptions } from "./dashboard-options.js";
import { servePage } from "./page-server.js";
import { Series } from "./chart-series.js";
import { type View, viewOf } from "./view.js";

export const dashboardUsage = `dashboard [directory|name]  the same as a page for a browser
  --port 7070       of 127.0.0.1 (default: a free one); the address that is printed has a token,
                    without which nothing is answered
  --names           hottest keys by name, not by hash
  --write           a form that looks up a key, lets it expire or deletes it
  --pid 1234        which process, if several have a cache of that name
It finds the cache as top does, and opens no browser; Ctrl-C ends it.`;

const keyTimeoutMs = 10_000;
const hottestKeys = 20;

/** Runs the command. Returns the exit status: 1 if the cache was closed meanwhile. */
export async function dashboard(words: readonly string[], output: Output): Promise<number> {
  const options = dashboardOptions(words);
  if (options.help) {
    output.print(dashboardUsage);
    return 0;
  }
  const connection = await connect(options);
  const ending = new AbortController();
  const end = (): void => {
    ending.abort();
    connection.end();
  };
  const watch = new Watch(connection, options);
  let server;
  try {
    server = await servePage(watch, options.port);
    process.once("SIGINT", end).once("SIGTERM", end);
    output.print(server.url);
    await watch.run(ending.signal);
    return 0;
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    output.warn(endWords[error.kind]);
    return 1;
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
    server?.close();
    connection.end();
  }
}

/** Asks the cache each second, and keeps what it answers for the page. */
class Watch {
  readonly #connection: Connection;
  readonly #options: DashboardOptions;
  readonly #series = new Series();
  #newest: Sample | undefined;
  #answeredMs = 0;
  #isAsking = false;
  readonly act: ((question: Omit<KeyQuestion, "v">) => Promise<KeyAnswer | Refusal>) | null;

  constructor(connection: Connection, options: DashboardOptions) {
    this.#connection = connection;
    this.#options = options;
    this.act = options.write ? (question) => this.#act(question) : null;
  }

  view(sinceMs: number): View | undefined {
    if (this.#newest === undefined) return undefined;
    const { write } = this.#options;
    const silentMs = elapsedMs() - this.#answeredMs;
    return viewOf(this.#newest, this.#series, { write, silentMs, sinceMs });
  }

  /** Until `signal` aborts. Rejects with NoAnswer if the cache has closed. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#ask();
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof NoAnswer) || error.kind !== "silent") throw error;
      }
      await pause(signal);
    }
  }

  async #ask(): Promise<void> {
    const { names } = this.#options;
    const question = { v: protocolVersion, keys: hottestKeys, names, details: true } as const;
    const answer = await this.#connection.ask(question, answerTimeoutMs);
    if ("error" in answer) {
      throw new RangeError(`Cannot show the cache: it refuses: ${answer.error}`);
    }
    this.#newest = answer;
    this.#answeredMs = elapsedMs();
    this.#series.add(answer, this.#answeredMs, readAnchorMs() + monotonicMs());
  }

  /** Over a connection of its own, since each takes one question at a time; one after the other. */
  async #act(question: Omit<KeyQuestion, "v">): Promise<KeyAnswer | Refusal> {
    if (this.#isAsking) return refusal("another question about a key has no answer yet");
    this.#isAsking = true;
    let connection: Connection | undefined;
    try {
      connection = await connect({ ...this.#options, pid: this.#newest?.pid });
      return await connection.askOfKey({ v: protocolVersion, ...question }, keyTimeoutMs);
    } catch (error) {
      if (error instanceof NoAnswer) return refusal(endWords[error.kind]);
      return refusal(error instanceof Error ? error.message : String(error));
    } finally {
      connection?.end();
      this.#isAsking = false;
    }
  }
}

function refusal(error: string): Refusal {
  return { v: protocolVersion, error };
}
