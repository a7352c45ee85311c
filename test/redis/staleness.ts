// Counts answers that are older than they may be. Each host writes keys of its own, a version each
// time, and reads all keys: its own must be the newest; another's may be older than what was made
// in the tier for at most the bound. A write is made when a flush that began after it has resolved.
import { setTimeout as sleep } from "node:timers/promises";
import type { Cache } from "../../dist/src/mod.js";

interface Write {
  readonly version: number;
  /** When it was made in the tier; Infinity = not yet. */
  madeMs: number;
}

export interface Counts {
  answers: number;
  writes: number;
  /** Older than the newest that was made, within the bound. */
  old: number;
  /** Older than that for longer than the bound, or an own one that is not the newest. */
  late: string[];
  /** Answers older than an earlier one of the same key and host. */
  backward: string[];
  maxOldMs: number;
}

const keysOfHost = 12;

export class StalenessCheck {
  readonly counts: Counts = {
    answers: 0,
    writes: 0,
    old: 0,
    late: [],
    backward: [],
    maxOldMs: 0,
  };
  readonly #caches: readonly Cache<number>[];
  readonly #boundMs: number;
  /** By key: the source. */
  readonly #writes = new Map<string, Write[]>();
  readonly #seen = new Map<string, number>();
  #isOver = false;
  /** How long the event loop did not turn, at most lately: then nobody could have known. */
  #stallMs = 0;
  #random = 1;

  constructor(caches: readonly Cache<number>[], boundMs: number) {
    this.#caches = caches;
    this.#boundMs = boundMs;
    for (const [host] of caches.entries()) {
      for (let n = 0; n < keysOfHost; n++) {
        this.#writes.set(`h${host}:${n}`, [{ version: 0, madeMs: 0 }]);
      }
    }
  }

  /** Runs until `during` has. */
  async run(during: () => Promise<void>): Promise<Counts> {
    const work = this.#caches.flatMap((cache, host) => [
      this.#write(cache, host),
      this.#flush(cache, host),
      this.#read(cache, host),
    ]);
    const stall = this.#watchStalls();
    try {
      await during();
    } finally {
      this.#isOver = true;
      await Promise.all([...work, stall]);
    }
    return this.counts;
  }

  #below(limit: number): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#random / 2 ** 32) * limit);
  }

  async #watchStalls(): Promise<void> {
    let last = performance.now();
    while (!this.#isOver) {
      await sleep(5);
      const now = performance.now();
      this.#stallMs = Math.max(now - last, this.#stallMs * 0.99);
      last = now;
    }
  }

  async #write(cache: Cache<number>, host: number): Promise<void> {
    while (!this.#isOver) {
      const key = `h${host}:${this.#below(keysOfHost)}`;
      const writes = this.#writes.get(key)!;
      const version = writes.at(-1)!.version + 1;
      writes.push({ version, madeMs: Infinity });
      this.counts.writes += 1;
      const how = this.#below(4);
      if (how === 0) cache.delete(key);
      else if (how === 1) cache.deleteByTag(key);
      else cache.set(key, version, { tags: [key] });
      await sleep(this.#below(20));
    }
  }

  async #flush(cache: Cache<number>, host: number): Promise<void> {
    while (!this.#isOver) {
      const before = Array.from(this.#writes)
        .filter(([key]) => key.startsWith(`h${host}:`))
        .flatMap(([, writes]) => writes.filter(({ madeMs }) => madeMs === Infinity));
      const isMade = await cache.flush().then(
        () => true,
        () => false,
      );
      if (isMade) for (const write of before) write.madeMs = performance.now();
      await sleep(10);
    }
  }

  async #read(cache: Cache<number>, host: number): Promise<void> {
    const keys = Array.from(this.#writes.keys());
    while (!this.#isOver) {
      const key = keys[this.#below(keys.length)]!;
      const near = cache.getSync(key);
      if (near !== undefined) this.#judge(host, key, near, performance.now());
      else {
        const beganMs = performance.now();
        const load = (): number => this.#newest(key);
        const got = await cache.fetch(key, load, { tags: [key] });
        // What it knew was of its begin: it may have waited for the tier.
        this.#judge(host, key, got, beganMs);
      }
      await sleep(0);
    }
  }

  #newest(key: string): number {
    return this.#writes.get(key)!.at(-1)!.version;
  }

  #judge(host: number, key: string, version: number, askedMs: number): void {
    this.counts.answers += 1;
    const writes = this.#writes.get(key)!;
    const isOwn = key.startsWith(`h${host}:`);
    // Nobody else writes the key, and the answer was given in this very turn or one that began
    // before the write.
    const next = writes[version + 1];
    const seen = `${host}/${key}`;
    const before = this.#seen.get(seen) ?? 0;
    if (version < before) this.counts.backward.push(`${seen}: ${version} after ${before}`);
    this.#seen.set(seen, Math.max(before, version));
    if (next === undefined) return;
    const oldMs = askedMs - next.madeMs;
    if (oldMs <= 0) return;
    this.counts.old += 1;
    this.counts.maxOldMs = Math.max(this.counts.maxOldMs, oldMs);
    if (isOwn || oldMs > this.#boundMs + 2 * this.#stallMs + 100) {
      this.counts.late.push(`${seen}: ${version} for ${Math.round(oldMs)} ms`);
    }
  }
}
