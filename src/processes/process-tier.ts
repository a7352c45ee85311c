// The owner of a shared directory as the tier behind a process's memory. Made by openCache. What it
// promises of changes: a value that was told before the process was attached, or before others have
// ended its key, is deleted instead, since nobody can say which of the two is newer.
import {
  clearInterval,
  clearTimeout,
  type ErrorCode,
  setInterval,
  setTimeout,
  UndercroftError,
} from "../base/mod.js";
import type {
  FlushDepth,
  Tier,
  TierChange,
  TierEntry,
  TierKey,
  TierListener,
  TierRenewal,
  TierTurn,
} from "../outer-tiers/mod.js";
import { ByteReader, ByteWriter } from "./wire/byte-stream.js";
import {
  type Change,
  decodeEntry,
  depths,
  encodeEntry,
  type End,
  kinds,
  listMax,
  writeChanges,
} from "./wire/wire-messages.js";
import { LineFault, type LineEvents, type OwnerLine, requestMsMax } from "./owner-line.js";
import type { SpaceKeys } from "./space-keys.js";

/** The name of the tier in events. */
export const ownerTierName = "owner";

const aliveMs = 60_000;

interface Waiting {
  readonly resolve: (line: OwnerLine) => void;
  readonly reject: (error: Error) => void;
}

export class ProcessTier implements Tier {
  readonly name = ownerTierName;
  readonly #keys: SpaceKeys;
  readonly #ended: (count: number) => void;
  #line: OwnerLine | undefined;
  /** The newest line, which may have ended. */
  #last: OwnerLine | undefined;
  #listener: TierListener | undefined;
  readonly #waiting = new Set<Waiting>();
  #alive: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `ended` counts what others have ended. */
  constructor(keys: SpaceKeys, ended: (count: number) => void) {
    this.#keys = keys;
    this.#ended = ended;
  }

  // ── The line ────────────────────────────────────────────────────────────────────────────────

  /** What the line calls. */
  get events(): LineEvents {
    return {
      welcome: (line) => this.#welcome(line),
      ended: (ends) => this.#hear(ends),
      freed: (key) => {
        const apart = this.#keys.apart(key);
        if (apart !== undefined) this.#listener?.freed(apart);
      },
    };
  }

  /** Before the lease begins: what the memory has, and what waits, may be older than what the
   *  owner has. */
  #welcome(line: OwnerLine): void {
    this.#listener?.ended({ kind: "clear", namespace: null });
    this.#line = line;
    this.#last = line;
    this.#listener?.touched(null);
    for (const { resolve } of this.#takeWaiting()) resolve(line);
  }

  lost(error: UndercroftError): void {
    this.#line = undefined;
    this.#listener?.touched(error);
  }

  #hear(ends: readonly End[]): void {
    this.#ended(ends.length);
    for (const end of ends) {
      const change = this.#keys.endedBy(end);
      if (change !== undefined) this.#listener?.ended(change);
    }
  }

  subscribe(listener: TierListener): () => void {
    this.#listener = listener;
    return () => (this.#listener = undefined);
  }

  #attached(): OwnerLine | Promise<OwnerLine> {
    if (this.#line !== undefined) return this.#line;
    if (this.#isClosed) return Promise.reject(new LineFault("the cache is closed"));
    // Without an owner nothing else keeps the process alive.
    this.#alive ??= setInterval(() => undefined, aliveMs);
    return new Promise((resolve, reject) => this.#waiting.add({ resolve, reject }));
  }

  #takeWaiting(): readonly Waiting[] {
    const waiting = Array.from(this.#waiting);
    this.#waiting.clear();
    clearInterval(this.#alive);
    this.#alive = undefined;
    return waiting;
  }

  // ── The tier ────────────────────────────────────────────────────────────────────────────────

  async getMany(keys: readonly TierKey[]): Promise<readonly (TierEntry | undefined)[]> {
    const line = this.#line;
    if (line === undefined) return keys.map(() => undefined);
    const writer = new ByteWriter().u32(keys.length);
    for (const key of keys) writer.bytes(this.#keys.compose(key));
    try {
      const body = await line.request(kinds.read, writer.end());
      const reader = new ByteReader(body);
      const entries = reader.list(listMax, () => entryOf(reader.bytes()));
      return keys.map((_, index) => entries[index]);
    } catch (error) {
      if (error instanceof LineFault) return keys.map(() => undefined);
      throw error;
    }
  }

  async apply(changes: readonly TierChange[]): Promise<void> {
    let wanted = changes.map((change) => this.#wire(change));
    // Told before the process was attached.
    if (this.#line === undefined) wanted = wanted.map(withoutValue);
    for (;;) {
      const line = await this.#attached();
      const writer = writeChanges(new ByteWriter().f64(line.seen), wanted);
      try {
        await line.request(kinds.apply, writer.end(), true);
        return;
      } catch (error) {
        if (!(error instanceof LineFault)) throw error;
        // It may have been made, and others may have changed the keys since.
        wanted = wanted.map(withoutValue);
        if (this.#line === line) this.#line = undefined;
      }
    }
  }

  #wire(change: TierChange): Change {
    if (change.kind !== "set") return this.#keys.endOf(change);
    return { kind: "set", key: this.#keys.compose(change), entry: encodeEntry(change.entry) };
  }

  async lease(key: TierKey, token: string): Promise<TierTurn> {
    const none = { entry: undefined, isGiven: false, waitMs: 0 };
    const line = this.#line;
    if (line === undefined) return none;
    const writer = new ByteWriter().bytes(this.#keys.compose(key)).text(token);
    try {
      const reader = new ByteReader(await line.request(kinds.lease, writer.end()));
      const waitMs = reader.u32();
      const isGiven = reader.u8() === 1;
      return { waitMs, isGiven, entry: entryOf(reader.bytes()) };
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      this.release(key, token); // a late owner gives it to nobody
      return none;
    }
  }

  async renew(key: TierKey, token: string, since: number): Promise<TierRenewal> {
    const none = { entry: undefined, isGiven: false, waitMs: 0, mark: since };
    const line = this.#line;
    if (line === undefined) return none;
    const writer = new ByteWriter().bytes(this.#keys.compose(key)).text(token).f64(since);
    try {
      const reader = new ByteReader(await line.request(kinds.renew, writer.end()));
      const waitMs = reader.u32();
      const isGiven = reader.u8() === 1;
      const mark = reader.f64();
      return { waitMs, isGiven, mark, entry: entryOf(reader.bytes()) };
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      this.release(key, token); // a late owner gives it to nobody
      return none;
    }
  }

  release(key: TierKey, token: string): void {
    const writer = new ByteWriter().bytes(this.#keys.compose(key)).text(token);
    this.#line?.send(kinds.release, writer.end());
  }

  /** Resolves when no other process can answer what ended before. Rejects with what the owner could
   *  not write. */
  async flush(depth: FlushDepth): Promise<void> {
    let body: Buffer;
    try {
      const line = await this.#settling();
      const request = new ByteWriter().u8(depths.indexOf(depth)).end();
      body = await line.request(kinds.settle, request, true);
    } catch (error) {
      throw ownerGone((error as Error).message);
    }
    const reader = new ByteReader(body);
    const code = reader.text();
    if (code !== "") throw new UndercroftError(code as ErrorCode, reader.text());
  }

  /** The owner to settle by. One that closes in order has kept what it was told, so the next one
   *  is waited for; what another had was maybe not on disk. */
  async #settling(): Promise<OwnerLine> {
    if (this.#last?.isClosing === true) return this.#next();
    if (this.#line === undefined) throw new LineFault("the process has no owner at the moment");
    return this.#line;
  }

  #next(): Promise<OwnerLine> {
    if (this.#isClosed) return Promise.reject(new LineFault("the cache is closed"));
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        resolve: (line) => {
          clearTimeout(timer);
          resolve(line);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(new LineFault(`there was no owner for ${requestMsMax} ms`));
      }, requestMsMax);
      this.#waiting.add(waiting);
    });
  }

  health(): void {
    if (this.#line === undefined) throw new LineFault("the process has no owner");
  }

  close(): void {
    this.#isClosed = true;
    for (const { reject } of this.#takeWaiting()) reject(new LineFault("the cache is closed"));
  }
}

function entryOf(bytes: Buffer): TierEntry | undefined {
  return bytes.length === 0 ? undefined : decodeEntry(bytes);
}

function withoutValue(change: Change): Change {
  return change.kind === "set" ? { kind: "delete", key: change.key } : change;
}

function ownerGone(why: string): UndercroftError {
  const text = `Cannot flush: ${why}; flush again once the cache has an owner`;
  return new UndercroftError("ERR_TIER", text);
}
