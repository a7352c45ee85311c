// A discrete event model of many instances of a service over one shared tier. Called by
// simulate.ts. Time is simulated, and nothing is measured while it runs.
//
// What stands for the library: an instance keeps what it has fetched until its time to live ends or
// news of a change reaches it; a miss asks the tier; one load of a key runs over all instances, the
// others wait for it. News come in order, from a log: an instance whose connection fails reads what
// it missed when it is back, and ends all it has if that takes longer than `stalenessMs`. Costs are
// those that docs/guides/redis.md and decision 0050 record.

/** Milliseconds: of a round trip to the tier, of a load, and of redisTier's `staleness`. */
const [tierMs, loadMs, stalenessMs] = [0.5, 20, 2000];
const keys = 10_000;
const [fetchesPerSecond, changesPerSecond] = [5, 0.005];
const [warmMs, measuredMs] = [10_000, 20_000];
const zipfExponent = 1.05;
/** Of 100 news one is late by as many times of the others. */
const [slowShare, slowTimes] = [0.01, 10];
/** How long an instance is without a connection, in the mean. */
const outageMs = 700;

export interface Design {
  /** `alone`: no tier; `ttl`: a tier without news; `news`: as redisTier. */
  readonly kind: "alone" | "ttl" | "news";
  readonly ttlMs: number;
  readonly newsMs: number;
  /** Of all news to one instance: those at which its connection fails. */
  readonly lossShare: number;
  /** All instances are replaced, one after the other, in this time; 0: none is. */
  readonly reloadMs: number;
}

export interface Outcome {
  readonly fetches: number;
  readonly loads: number;
  /** Of what would be loaded without a cache. */
  readonly savedPercent: number;
  /** Reads, writes and leases of the tier, a second. */
  readonly tierPerSecond: number;
  /** News sent to instances, a second. */
  readonly newsPerSecond: number;
  readonly stalePercent: number;
  readonly staleP99Ms: number;
  readonly staleMaxMs: number;
}

type Event =
  | { readonly kind: "fetch"; readonly instance: number }
  | { readonly kind: "change" }
  | { readonly kind: "loaded"; readonly load: Load }
  | { readonly kind: "news"; readonly instance: number; readonly key: number }
  | { readonly kind: "cut"; readonly instance: number }
  | { readonly kind: "replace"; readonly instance: number };

interface Load {
  readonly key: number;
  readonly version: number;
  readonly waiting: Set<number>;
}
interface Kept {
  readonly version: number;
  readonly untilMs: number;
}
/** What an instance knows. */
interface Instance {
  kept: Map<number, Kept>;
  /** Until then nothing reaches it. */
  deafUntilMs: number;
}

export function simulate(count: number, design: Design): Outcome {
  return new Model(count, design).run();
}

class Model {
  readonly #design: Design;
  readonly #random = randomFrom(17);
  readonly #queue = new EventQueue<Event>();
  readonly #instances: Instance[];
  readonly #sums = zipfSums();
  /** Of each key: its version, and when each was made. */
  readonly #changedMs: number[][] = Array.from({ length: keys }, () => [0]);
  readonly #tier = new Map<number, Kept>();
  readonly #loads = new Map<string, Load>();
  #nowMs = 0;
  #fetches = 0;
  #loadCount = 0;
  #tierCount = 0;
  #newsCount = 0;
  readonly #staleMs: number[] = [];

  constructor(count: number, design: Design) {
    this.#design = design;
    this.#instances = Array.from({ length: count }, () => {
      return { kept: new Map<number, Kept>(), deafUntilMs: 0 };
    });
  }

  run(): Outcome {
    const count = this.#instances.length;
    for (let instance = 0; instance < count; instance++) {
      this.#after(this.#random() * 200, { kind: "fetch", instance });
    }
    for (let instance = 0; instance < count && this.#design.reloadMs > 0; instance++) {
      this.#after(warmMs + (this.#design.reloadMs * instance) / count, {
        kind: "replace",
        instance,
      });
    }
    this.#after(0, { kind: "change" });
    for (;;) {
      const next = this.#queue.take();
      if (next === undefined || next.atMs > warmMs + measuredMs) return this.#outcome();
      this.#nowMs = next.atMs;
      this.#on(next.event);
    }
  }

  #on(event: Event): void {
    switch (event.kind) {
      case "fetch": {
        this.#fetch(event.instance);
        this.#after(this.#between(fetchesPerSecond), event);
        return;
      }
      case "change": {
        this.#change();
        this.#after(this.#between(changesPerSecond * this.#instances.length), event);
        return;
      }
      case "loaded":
        return this.#loaded(event.load);
      case "news":
        return this.#hear(event);
      case "cut":
      case "replace":
        this.#at(event.instance).kept.clear();
    }
  }

  #fetch(number: number): void {
    const key = this.#anyKey();
    const instance = this.#at(number);
    if (this.#isMeasured) this.#fetches++;
    const kept = instance.kept.get(key);
    if (kept !== undefined && kept.untilMs > this.#nowMs) return this.#answer(key, kept.version);
    if (this.#design.kind === "alone") return this.#load(key, `${key}/${number}`, number);
    if (this.#isMeasured) this.#tierCount++;
    const shared = this.#tier.get(key);
    if (shared !== undefined && shared.untilMs > this.#nowMs) {
      instance.kept.set(key, shared); // it has the rest of its time
      return this.#answer(key, shared.version);
    }
    this.#load(key, String(key), number);
  }

  /** One load of a key over all instances that share the tier, or in one that is alone. */
  #load(key: number, name: string, number: number): void {
    const under = this.#loads.get(name);
    if (under !== undefined) {
      under.waiting.add(number);
      return;
    }
    if (this.#isMeasured) this.#loadCount++;
    const load = { key, version: this.#versionOf(key), waiting: new Set([number]) };
    this.#loads.set(name, load);
    const ms = this.#design.kind === "alone" ? loadMs : loadMs + 2 * tierMs;
    this.#after(ms, { kind: "loaded", load });
  }

  #loaded(load: Load): void {
    const { key, version, waiting } = load;
    const [first = 0] = waiting;
    const isAlone = this.#design.kind === "alone";
    const name = isAlone ? `${key}/${first}` : String(key);
    if (this.#loads.get(name) === load) this.#loads.delete(name);
    // A change that came first keeps the load out, where there are news.
    if (this.#design.kind === "news" && version < this.#versionOf(key)) return;
    const kept = { version, untilMs: this.#nowMs + this.#design.ttlMs };
    if (!isAlone) {
      this.#tier.set(key, kept);
      if (this.#isMeasured) this.#tierCount++;
    }
    for (const number of waiting) this.#at(number).kept.set(key, kept);
  }

  /** By a random instance: its own entry ends, and the tier's. */
  #change(): void {
    const key = this.#anyKey();
    const writer = Math.floor(this.#random() * this.#instances.length);
    this.#changedMs[key]?.push(this.#nowMs);
    this.#at(writer).kept.delete(key);
    if (this.#design.kind === "alone") return;
    this.#tier.delete(key);
    if (this.#isMeasured) this.#tierCount++;
    if (this.#design.kind !== "news") return;
    this.#loads.delete(String(key)); // who comes later does not join it
    for (const [instance, { kept }] of this.#instances.entries()) {
      if (instance === writer) continue;
      if (this.#isMeasured) this.#newsCount++;
      if (this.#random() < this.#design.lossShare) this.#cut(instance);
      // To the others the news say nothing; what they take from the tier later is newer.
      if (!kept.has(key)) continue;
      const isSlow = this.#random() < slowShare;
      const ms = this.#design.newsMs * (0.5 + this.#random()) * (isSlow ? slowTimes : 1);
      // What takes longer ends like all else that the instance has.
      this.#after(Math.min(ms, stalenessMs), { kind: "news", instance, key });
    }
  }

  /** The connection of an instance fails. */
  #cut(number: number): void {
    const instance = this.#at(number);
    if (instance.deafUntilMs > this.#nowMs) return;
    const ms = -Math.log(1 - this.#random()) * outageMs;
    instance.deafUntilMs = this.#nowMs + ms;
    for (let atMs = stalenessMs; atMs < ms; atMs += stalenessMs) {
      this.#after(atMs, { kind: "cut", instance: number });
    }
  }

  #hear(event: Event & { readonly kind: "news" }): void {
    const { kept, deafUntilMs } = this.#at(event.instance);
    if (deafUntilMs > this.#nowMs) return this.#after(deafUntilMs - this.#nowMs, event);
    const found = kept.get(event.key);
    if (found !== undefined && found.version < this.#versionOf(event.key)) kept.delete(event.key);
  }

  #answer(key: number, version: number): void {
    if (!this.#isMeasured || version >= this.#versionOf(key)) return;
    this.#staleMs.push(this.#nowMs - (this.#changedMs[key]?.[version + 1] ?? this.#nowMs));
  }

  #outcome(): Outcome {
    const stale = this.#staleMs.sort((a, b) => a - b);
    const perSecond = (number: number): number => Math.round((1000 * number) / measuredMs);
    const rounded = (number: number, factor: number): number =>
      Math.round(number * factor) / factor;
    return {
      fetches: this.#fetches,
      loads: this.#loadCount,
      savedPercent: rounded(100 * (1 - this.#loadCount / this.#fetches), 100),
      tierPerSecond: perSecond(this.#tierCount),
      newsPerSecond: perSecond(this.#newsCount),
      stalePercent: rounded((100 * stale.length) / this.#fetches, 10_000),
      staleP99Ms: Math.round(stale[Math.floor(stale.length * 0.99)] ?? 0),
      staleMaxMs: Math.round(stale.at(-1) ?? 0),
    };
  }

  get #isMeasured(): boolean {
    return this.#nowMs >= warmMs;
  }

  #after(ms: number, event: Event): void {
    this.#queue.add(this.#nowMs + ms, event);
  }

  #between(perSecond: number): number {
    return (-Math.log(1 - this.#random()) * 1000) / perSecond;
  }

  #versionOf(key: number): number {
    return (this.#changedMs[key]?.length ?? 1) - 1;
  }

  #at(instance: number): Instance {
    return this.#instances[instance] as Instance;
  }

  #anyKey(): number {
    const wanted = this.#random() * (this.#sums.at(-1) ?? 1);
    let [low, high] = [0, keys - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sums[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The next of all events first; of two at one time the one that was added first. */
export class EventQueue<Event> {
  readonly #heap: { readonly atMs: number; readonly number: number; readonly event: Event }[] = [];
  #number = 0;

  add(atMs: number, event: Event): void {
    const heap = this.#heap;
    heap.push({ atMs, number: this.#number++, event });
    for (let at = heap.length - 1; at > 0;) {
      const up = (at - 1) >> 1;
      if (!this.#isBefore(at, up)) return;
      this.#swap(at, up);
      at = up;
    }
  }

  take(): { readonly atMs: number; readonly event: Event } | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ;) {
      let least = 2 * at + 1;
      if (least >= heap.length) return first;
      if (least + 1 < heap.length && this.#isBefore(least + 1, least)) least += 1;
      if (!this.#isBefore(least, at)) return first;
      this.#swap(at, least);
      at = least;
    }
  }

  #isBefore(left: number, right: number): boolean {
    const [a, b] = [this.#heap[left], this.#heap[right]];
    if (a === undefined || b === undefined) return false;
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
  }

  #swap(left: number, right: number): void {
    const [a, b] = [this.#heap[left], this.#heap[right]];
    if (a !== undefined && b !== undefined) [this.#heap[left], this.#heap[right]] = [b, a];
  }
}

function zipfSums(): Float64Array {
  let sum = 0;
  return Float64Array.from({ length: keys }, (_, rank) => (sum += 1 / (rank + 1) ** zipfExponent));
}

/** A number from 0 to 1, the same ones for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
