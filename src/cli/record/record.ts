// `undercroft record`: writes the requests of a running cache as a trace. Called by main.ts.
// Invariant: the file has at most --most bytes, and whole lines, whatever ends the command.
import { randomBytes } from "node:crypto";
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { elapsedMs, setTimeout } from "../../base/mod.js";
import { type Connection, NoAnswer, protocolVersion, type Recorded } from "../../operators/mod.js";
import { requestEvents } from "../../stats/mod.js";
import type { Output } from "../output.js";
import { type RecordOptions, recordOptions } from "./record-options.js";
import { TraceWriter } from "./trace-writer.js";
import { connect } from "../top/target.js";

export const recordUsage = `record [directory|name] --out trace.csv
                    write the requests of a running cache as a trace for simulate; Ctrl-C ends it
  --out trace.csv   the file, which must not be there yet
  --for 10m         how long (default: 10m)
  --sample 0.1      the part of the keys whose requests are written, from 0.0001 to 1 (default: 1);
                    all requests for such a key are, so simulate takes it for a smaller cache
  --most 256mb      the most bytes of the file (default: 256mb)
  --pid 1234        which process, if several have a cache of that name
Keys are written as hashes, other ones in each recording. The cache is found as by top.`;

/** Milliseconds between two questions: the ring of the cache is to be emptied before it is full. */
const askEveryMs = 250;
/** Milliseconds without an answer until the recording has ended by itself. */
const answerTimeoutMs = 10_000;

/** Runs the command. Returns the exit status: 1 if requests are missing or the cache was closed. */
export async function record(words: readonly string[], output: Output): Promise<number> {
  const options = recordOptions(words);
  if (options.help) {
    output.print(recordUsage);
    return 0;
  }
  const connection = await connect(options);
  try {
    const recording = new Recording(connection, options);
    const end = await recording.run();
    output.print(recording.summary());
    const faults = [...recording.faults(), ...end];
    for (const fault of faults) output.warn(fault);
    return faults.length === 0 ? 0 : 1;
  } finally {
    connection.end();
  }
}

class Recording {
  readonly #connection: Connection;
  readonly #options: RecordOptions;
  readonly #salt = [randomBytes(4).readUInt32LE(), randomBytes(4).readUInt32LE()] as const;
  readonly #rows = new TraceWriter();
  readonly #file: number;
  #bytes = 0;
  #lost = 0;
  #begins = 0;
  #isFull = false;
  #isTold = false;

  constructor(connection: Connection, options: RecordOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#file = created(options.out);
    this.#write(TraceWriter.head(options.sample));
  }

  /** Records until it has been long enough, the file is full, or the user ends it. Returns why it
   *  ended sooner, if it did. */
  async run(): Promise<string[]> {
    const endMs = elapsedMs() + this.#options.forMs;
    let wake = (): void => undefined;
    const stop = (): void => {
      this.#isTold = true;
      wake();
    };
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
    try {
      await this.#ask(this.#options.sample);
      while (!this.#isTold && !this.#isFull && elapsedMs() < endMs) {
        const waitMs = Math.min(askEveryMs, Math.max(0, endMs - elapsedMs()));
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, waitMs);
        });
        await this.#ask(this.#options.sample);
      }
      await this.#ask(0);
      return [];
    } catch (error) {
      if (error instanceof NoAnswer) return [endWords[error.kind]];
      unlinkSync(this.#options.out); // the cache refuses: there is nothing in it
      throw error;
    } finally {
      this.#write(this.#rows.lines(true));
      closeSync(this.#file);
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
    }
  }

  summary(): string {
    const { requests, absent } = this.#rows;
    const left = absent === 0 ? "" : `; ${absent} for entries that were never there are left out`;
    return `${requests} requests in ${this.#options.out}${left}`;
  }

  faults(): string[] {
    const faults = [];
    if (this.#lost > 0) {
      faults.push(
        `${this.#lost} requests are missing: the cache was asked for more than can be taken from ` +
          "it; record a smaller part of the keys by --sample",
      );
    }
    if (this.#begins > 1) {
      faults.push(
        "Requests are missing: the event loop of the thread that opened the cache was blocked " +
          "for more than 10 s",
      );
    }
    if (this.#isFull) faults.push("The file is full (--most); what came later is not in it");
    return faults;
  }

  async #ask(sample: number): Promise<void> {
    const record = { sample, salt: this.#salt };
    const question = { v: protocolVersion, keys: 0, names: false, details: false, record } as const;
    const answer = await this.#connection.ask(question, answerTimeoutMs);
    if ("error" in answer) {
      throw new RangeError(`Cannot record the cache: it refuses: ${answer.error}`);
    }
    if (answer.recorded === undefined) throw new NoAnswer("garbage");
    if (answer.recorded === null) {
      throw new RangeError("Cannot record the cache: somebody else records it; try again later");
    }
    this.#take(answer.recorded);
  }

  #take({ events, lost, isNew }: Recorded): void {
    if (isNew) this.#begins += 1;
    this.#lost += lost;
    this.#rows.add(requestEvents(Buffer.from(events, "base64")));
    this.#write(this.#rows.lines(false));
  }

  /** Writes whole lines, as many as fit. */
  #write(lines: string): void {
    if (this.#isFull || lines === "") return;
    const room = this.#options.mostBytes - this.#bytes;
    this.#isFull = lines.length > room;
    // Lines are ASCII, so characters are bytes.
    const text = this.#isFull ? lines.slice(0, lines.lastIndexOf("\n", room - 1) + 1) : lines;
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
    this.#bytes += bytes.length;
  }
}

const endWords: Readonly<Record<NoAnswer["kind"], string>> = {
  closed: "The cache was closed, or its process has ended, before the time was over",
  silent: "The cache does not answer: the event loop of the thread that opened it is blocked",
  garbage: "What answers is no cache of this version of the package",
};

function created(path: string): number {
  try {
    return openSync(path, "wx", 0o600);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RangeError(`Cannot write --out ${path}: ${why}`, { cause: error });
  }
}
