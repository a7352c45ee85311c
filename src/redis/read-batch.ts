// Gathers the keys that are asked for in one turn, so that many reads are one script. Called by
// RedisTier.
import type { TierEntry, TierKey } from "../outer-tiers/mod.js";
import { batchMax } from "./scripts.js";

type Answers = readonly (TierEntry | undefined)[];

interface Waiting {
  readonly keys: TierKey[];
  readonly answers: Promise<Answers>;
}

export class ReadBatch {
  readonly #read: (keys: readonly TierKey[]) => Promise<Answers>;
  #waiting: Waiting | undefined;

  /** `read` is called with at most `batchMax` keys. */
  constructor(read: (keys: readonly TierKey[]) => Promise<Answers>) {
    this.#read = read;
  }

  async getMany(keys: readonly TierKey[]): Promise<Answers> {
    const parts: Promise<Answers>[] = [];
    for (let at = 0; at < keys.length; at += batchMax) {
      parts.push(this.#add(keys.slice(at, at + batchMax)));
    }
    return (await Promise.all(parts)).flat();
  }

  async #add(keys: readonly TierKey[]): Promise<Answers> {
    let waiting = this.#waiting;
    if (waiting === undefined || waiting.keys.length + keys.length > batchMax) {
      const gathered: TierKey[] = [];
      const answers = Promise.resolve().then(() => {
        if (this.#waiting?.keys === gathered) this.#waiting = undefined;
        return this.#read(gathered);
      });
      waiting = { keys: gathered, answers };
      this.#waiting = waiting;
    }
    const first = waiting.keys.length;
    waiting.keys.push(...keys);
    const answers = await waiting.answers;
    return answers.slice(first, first + keys.length);
  }
}
