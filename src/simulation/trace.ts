// A trace in memory: the requests, in order, in typed arrays. The readers build it, the replay runs
// it. Invariant: keys are numbered from 0 in order of first appearance.

/** Most requests in a trace: what its typed arrays can index. */
export const traceRequestsMax = 2 ** 31 - 1;

export interface Trace {
  readonly name: string;
  readonly requests: number;
  /** Number of distinct keys. */
  readonly keys: number;
  /** The key of each request. */
  readonly key: Int32Array;
  /** Bytes of each request's object, at least 1; `null` if all are 1. */
  readonly size: Uint32Array | null;
  /** For each request, its time and when its object would expire if written then, in seconds.
   *  `null` if the trace has no times or no ttl. */
  readonly expires: Float64Array | null;
  readonly time: Float64Array | null;
  /** Milliseconds that each request's object takes to load; `null` if the trace has none. */
  readonly load: Float32Array | null;
  /** The part of the keys that the trace is of, as `undercroft record` sampled them: a cache for
   *  all is that much larger. */
  readonly sample: number;
}

/** Collects requests in arrays that double as they fill. */
export class TraceBuilder {
  #count = 0;
  #keys = 0;
  #key = new Int32Array(1 << 16);
  #size = new Uint32Array(1 << 16);
  #ttl = new Float64Array(0);
  #time = new Float64Array(0);
  #load = new Float32Array(0);
  #sized = false;
  #timed = false;
  #mortal = false;
  #loaded = false;
  /** See `Trace`. */
  sample = 1;

  get count(): number {
    return this.#count;
  }

  /** Adds a request. A new key must be the highest number so far plus one. `ttl` 0 means no
   *  expiry, `time` NaN unknown, `load` 0 that it takes no time to load. */
  add(key: number, size: number, ttl: number, time: number, load = 0): void {
    if (this.#count === this.#key.length) this.#grow();
    this.#key[this.#count] = key;
    this.#size[this.#count] = size;
    if (key === this.#keys) this.#keys += 1;
    if (size !== 1) this.#sized = true;
    if (ttl !== 0 || this.#mortal) this.#noteTtl(ttl);
    if (!Number.isNaN(time) || this.#timed) this.#noteTime(time);
    if (load !== 0 || this.#loaded) this.#noteLoad(load);
    this.#count += 1;
  }

  build(name: string): Trace {
    const count = this.#count;
    const hasExpiry = this.#mortal && this.#timed;
    const time = hasExpiry ? this.#time.slice(0, count) : null;
    return {
      name,
      requests: count,
      keys: this.#keys,
      key: this.#key.slice(0, count),
      size: this.#sized ? this.#size.slice(0, count) : null,
      expires:
        time === null
          ? null
          : time.map((at, index) => at + ((this.#ttl[index] as number) || Infinity)),
      time,
      sample: this.sample,
      load: this.#loaded ? this.#load.slice(0, count) : null,
    };
  }

  #noteTtl(ttl: number): void {
    if (!this.#mortal) this.#ttl = new Float64Array(this.#key.length);
    this.#mortal = true;
    this.#ttl[this.#count] = ttl;
  }

  #noteTime(time: number): void {
    if (!this.#timed) this.#time = new Float64Array(this.#key.length);
    this.#timed = true;
    this.#time[this.#count] = time;
  }

  #noteLoad(load: number): void {
    if (!this.#loaded) this.#load = new Float32Array(this.#key.length);
    this.#loaded = true;
    this.#load[this.#count] = load;
  }

  #grow(): void {
    const length = this.#key.length * 2;
    this.#key = wider(this.#key, new Int32Array(length));
    this.#size = wider(this.#size, new Uint32Array(length));
    if (this.#mortal) this.#ttl = wider(this.#ttl, new Float64Array(length));
    if (this.#timed) this.#time = wider(this.#time, new Float64Array(length));
    if (this.#loaded) this.#load = wider(this.#load, new Float32Array(length));
  }
}

function wider<T extends Int32Array | Uint32Array | Float32Array | Float64Array>(
  from: T,
  to: T,
): T {
  to.set(from);
  return to;
}

/** The trace with every object of size 1. */
export function withoutSizes(trace: Trace): Trace {
  return { ...trace, size: null };
}

/** Total bytes of the distinct objects, each with its size at first appearance. */
export function footprintOf(trace: Trace): number {
  if (trace.size === null) return trace.keys;
  let [seen, bytes] = [0, 0];
  for (let index = 0; index < trace.requests && seen < trace.keys; index++) {
    if (trace.key[index] !== seen) continue;
    seen += 1;
    bytes += trace.size[index] as number;
  }
  return bytes;
}
