// Requests that were recorded, as lines of a trace for the simulator. Called by the command. A
// request says no size if its entry is stored only afterwards, so lines are held for some seconds.
// Invariants: at most heldMax requests are held, and knownMax entries remembered.
import type { RequestEvent } from "../../stats/mod.js";

/** Milliseconds that a request is held until its entry must be known. */
const heldMs = 10_000;
export const heldMax = 200_000;
const knownMax = 1_000_000;

export const traceColumns = "key,size,ttl,timestamp,load";

interface Facts {
  size: number;
  ttl: number;
  loadUs: number;
}

interface Held {
  readonly key: string;
  readonly ms: number;
}

export class TraceWriter {
  readonly #known = new Map<string, Facts>();
  #held: Held[] = [];
  #firstMs: number | undefined;
  #lastMs = 0;
  /** Requests for what was never there while they were held: nothing could be kept of them. */
  absent = 0;
  requests = 0;

  /** The first lines: how keys were sampled, and the names of the columns. */
  static head(sample: number): string {
    return `# undercroft record, sample=${sample}\n${traceColumns}\n`;
  }

  /** Takes events in the order in which they were recorded. */
  add(events: Iterable<RequestEvent>): void {
    for (const { key, ms, size, ttl, loadUs, isStore } of events) {
      if (size !== 0) this.#learn(key, size, ttl, loadUs);
      this.#firstMs ??= ms;
      const since = (ms - this.#firstMs) >> 0; // threads note a little out of order
      this.#lastMs = Math.max(this.#lastMs, since);
      if (!isStore) this.#held.push({ key, ms: Math.max(0, since) });
    }
  }

  /** The lines whose entries are known, or will not be; at the end all that are held. */
  lines(isEnd: boolean): string {
    const until = isEnd ? Infinity : this.#lastMs - heldMs;
    let count = Math.max(0, this.#held.length - heldMax);
    while (count < this.#held.length && (this.#held[count] as Held).ms <= until) count += 1;
    const lines = this.#held.slice(0, count).map((held) => this.#line(held));
    this.#held = this.#held.slice(count);
    return lines.join("");
  }

  #line({ key, ms }: Held): string {
    const facts = this.#known.get(key);
    if (facts === undefined) {
      this.absent += 1;
      return "";
    }
    this.requests += 1;
    const load = facts.loadUs === 0 ? "" : facts.loadUs / 1000;
    return `${key},${facts.size},${facts.ttl},${ms / 1000},${load}\n`;
  }

  #learn(key: string, size: number, ttl: number, loadUs: number): void {
    const known = this.#known.get(key);
    if (known !== undefined) {
      known.size = size;
      if (ttl !== 0) known.ttl = ttl;
      // What a load took is exact; what a record says of it is its class.
      if (known.loadUs === 0) known.loadUs = loadUs;
      return;
    }
    if (this.#known.size >= knownMax) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    this.#known.set(key, { size, ttl, loadUs });
  }
}
