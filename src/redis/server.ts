// Runs the scripts on a connection, each within a time. Called by the tier and its log reader.
// Invariant: what answers too late is ignored; its script may still run, which the scripts allow.
import { createHash, randomInt } from "node:crypto";
import { clearTimeout, setTimeout } from "../base/mod.js";
import type { Connection, Word } from "./connection.js";

const digests = new Map<string, string>();

/** The names of the keys of a tier (scripts.ts). All have one hash tag. */
export class KeyNames {
  readonly base: readonly [string, string, string];
  readonly log: string;
  readonly #entry: Buffer;
  readonly #lease: Buffer;

  constructor(prefix: string) {
    const tag = `{${prefix}}`;
    this.log = `${tag}:l`;
    this.base = [`${tag}:m`, `${tag}:v`, this.log];
    this.#entry = Buffer.from(`${tag}:e:`);
    this.#lease = Buffer.from(`${tag}:w:`);
  }

  entry(id: Uint8Array): Buffer {
    return Buffer.concat([this.#entry, id]);
  }

  lease(id: Uint8Array): Buffer {
    return Buffer.concat([this.#lease, id]);
  }
}

/** The answer of a call, or an error if it takes longer than this. */
export async function within<T>(ms: number, what: string, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`the server did not answer ${what} within ${ms} ms`)),
      ms,
    );
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

export class Server {
  readonly #connection: Connection;
  readonly #timeoutMs: number;

  constructor(connection: Connection, timeoutMs: number) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  async send(words: readonly Word[], extraMs = 0): Promise<unknown> {
    const what = String(words[0]);
    return within(this.#timeoutMs + extraMs, what, this.#connection.send(words));
  }

  /** Runs a script; the server knows its text from the first time on. */
  async run(script: string, keys: readonly Word[], values: readonly Word[]): Promise<unknown[]> {
    let digest = digests.get(script);
    if (digest === undefined) {
      digest = createHash("sha1").update(script).digest("hex");
      digests.set(script, digest);
    }
    const rest = [keys.length, ...keys, ...values];
    try {
      return (await this.send(["EVALSHA", digest, ...rest])) as unknown[];
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return (await this.send(["EVAL", script, ...rest])) as unknown[];
    }
  }
}

/** What an answer has as a text. */
export function textOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : String(value);
}

export function randomEpoch(): string {
  return String(randomInt(1, 2 ** 47));
}

export function randomPart(): string {
  return String(randomInt(1, 2 ** 32));
}
