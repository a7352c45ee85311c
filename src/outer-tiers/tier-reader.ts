// Reads entries from the tiers on one thread, and brings them to memory. Called by the cache after
// a miss in memory and on disk, and by read-through before a loader runs. Invariant: what comes
// from a tier is stored under a flight that began before the tier was asked, so a write, delete or
// clear since then ends it.
import {
  byWallClock,
  type CacheEntry,
  type EntryReader,
  type Gate,
  type ThreadCore,
  ValueDecoder,
} from "../entries/mod.js";
import { codes, type HashedKey, type Key } from "../kernel/mod.js";
import { type WriteFields, type WriteOutcome, writeValue } from "../memory/mod.js";
import { counterMisses } from "../stats/mod.js";
import { type Enclosed, opened } from "./envelope.js";
import type { TierEntry } from "./tier.js";
import type { ReadKey, TierAccess } from "./tier-access.js";
import { namespaceOf } from "./tier-writer.js";

/** The most keys of one question to the tiers. */
export const questionKeysMax = 512;
/** How often a key is asked for that changes at the same time; then it is a miss. */
export const bringTriesMax = 3;

/** What a tier had for a key that is to be loaded. */
export interface Turned<V> {
  readonly found: Brought<V> | undefined;
  /** Another process loads the key. It may have ended by now. */
  readonly isOthers: boolean;
  /** Ends the lease of the load; call it when the load has ended. Undefined if there is none. */
  readonly release: (() => void) | undefined;
}

/** The same of a key that is fresh. */
export interface Renewed<V> extends Turned<V> {
  readonly mark: number;
}

/** What a tier had for a key. */
export interface Brought<V> {
  readonly value: V;
  /** It has expired, and may be served stale. It is not in memory. */
  readonly stale: boolean;
  /** It was not stored, since something newer came meanwhile. */
  readonly superseded: boolean;
  readonly entry: TierEntry;
}

/** The keys that are asked for in one turn of the event loop. */
interface Question<V> {
  readonly keys: HashedKey[];
  readonly answers: Promise<readonly (Brought<V> | undefined)[]>;
}

const noTags = new Uint8Array(0);

export class TierReader<V> {
  readonly #core: ThreadCore;
  readonly #reader: EntryReader<V>;
  readonly #decoder: ValueDecoder<V>;
  readonly #access: TierAccess;
  readonly #lease: Gate | null;
  #question: Question<V> | undefined;

  /** `lease`: of a process that shares its directory; held while it hears of others. */
  constructor(core: ThreadCore, reader: EntryReader<V>, access: TierAccess, lease: Gate | null) {
    this.#lease = lease;
    this.#core = core;
    this.#reader = reader;
    this.#decoder = new ValueDecoder<V>(core);
    this.#access = access;
  }

  hearsOthers(): boolean {
    return this.#lease?.isHeld() !== false;
  }

  /** The value from memory, disk or a tier, if it is fresh; a promise unless it is in memory. */
  get(key: Key): V | undefined | Promise<V | undefined> {
    const found = this.#reader.get(key);
    if (found instanceof Promise) return this.#orFromTier(this.#reader.readKey(key), found);
    return found !== undefined ? found : this.#orFromTier(this.#reader.readKey(key));
  }

  async #orFromTier(key: HashedKey, found?: Promise<V | undefined>): Promise<V | undefined> {
    const value = await found;
    if (value !== undefined) return value;
    for (let tries = 0; tries < bringTriesMax; tries++) {
      const brought = await this.#bringOne(key);
      if (brought?.superseded !== true) return brought?.stale === true ? undefined : brought?.value;
      // What is newer is in memory by now, or only in the tier, or it is absent.
      const newer = await this.#reader.readAgain(key);
      if (newer !== undefined) return newer.stale ? undefined : newer.value;
    }
    return undefined;
  }

  /** The entry with its metadata from memory, disk or a tier, if it is fresh. */
  async getEntry(key: Key): Promise<CacheEntry<V> | undefined> {
    const hashed = this.#reader.readKey(key);
    const known = await this.#reader.getEntry(hashed.toKey());
    if (known !== undefined) return known;
    for (let tries = 0; tries < bringTriesMax; tries++) {
      const found = await this.#bringOne(hashed);
      if (found === undefined || found.stale) return undefined;
      if (found.superseded) {
        // Still one request: its first count is taken back.
        this.#core.count(counterMisses, -1);
        const newer = await this.#reader.getEntry(hashed.toKey());
        if (newer !== undefined) return newer;
        continue;
      }
      const { createdAt, expiresAt, staleUntil, tags, value } = found.entry;
      const size = value.length + hashed.bytes.length;
      const times = { createdAt, expiresAt, staleUntil };
      return { value: found.value, source: "tier", ...times, tags, size };
    }
    return undefined;
  }

  /** What a tier has for a key that is neither in memory nor on disk. */
  async #bringOne(key: HashedKey): Promise<Brought<V> | undefined> {
    let question = this.#question;
    if (question === undefined || question.keys.length >= questionKeysMax) {
      const keys: HashedKey[] = [];
      // In a microtask, when the other gets of a `getMany` have come.
      const answers = Promise.resolve().then(() => {
        if (this.#question?.keys === keys) this.#question = undefined;
        return this.#ask(keys);
      });
      question = { keys, answers };
      this.#question = question;
    }
    const index = question.keys.push(key) - 1;
    return (await question.answers)[index];
  }

  async #ask(keys: readonly HashedKey[]): Promise<readonly (Brought<V> | undefined)[]> {
    this.#core.assertOpen();
    const { verbs } = this.#core.kernel;
    const { space } = this.#core.keys;
    const flights = keys.map((key) =>
      key.isHashed ? verbs.beginFlight(key.hashLow, key.hashHigh, space) : -1,
    );
    try {
      return await this.#bring(keys, flights);
    } finally {
      // Detaching ends flights too.
      for (const flight of this.#core.isDetached ? [] : flights) {
        if (flight >= 0) verbs.endFlight(flight, codes.flightAgain, 0);
      }
    }
  }

  /** Asks the tiers, and stores what is fresh under the flights, which began before; one without a
   *  flight (-1) is not stored. */
  async #bring(
    keys: readonly HashedKey[],
    flights: readonly number[],
  ): Promise<(Brought<V> | undefined)[]> {
    const told = await this.#access.read(keys.map((key) => this.#named(key)));
    this.#core.assertOpen();
    // What waits for the owner is answered too: without leave others may have ended it since.
    const entries = this.hearsOthers() ? told : [];
    return keys.map((key, index) => this.#take(key, entries[index], flights[index] ?? -1));
  }

  /** As `#bring` of one key that is to be loaded unless a tier has it. While another process loads
   *  it, waits for that, at most `waitMs`. Calls `bytesRead` before it looks at what they have. */
  async turn(
    key: HashedKey,
    flight: number,
    waitMs: number,
    bytesRead: () => void,
  ): Promise<Turned<V>> {
    const named = this.#named(key);
    const { entry, token, isOthers } = await this.#access.turn(named, waitMs);
    const release = token === undefined ? undefined : () => this.#access.release(named, token);
    try {
      this.#core.assertOpen();
      bytesRead();
      // A fetch may have joined after the tier was read: without leave it may be too old for it.
      const current = this.hearsOthers() ? entry : undefined;
      return { found: this.#take(key, current, flight), isOthers, release };
    } catch (error) {
      release?.();
      throw error;
    }
  }

  /** Before a load of what is fresh: whose turn it is, over all processes; `since` and `waitMs` as
   *  of TierAccess.renew. What it finds is not stored. */
  async renew(key: HashedKey, since: number, waitMs: number): Promise<Renewed<V>> {
    const named = this.#named(key);
    const { entry, token, isOthers, mark } = await this.#access.renew(named, since, waitMs);
    const release = token === undefined ? undefined : () => this.#access.release(named, token);
    try {
      this.#core.assertOpen();
      return { found: this.#take(key, entry, -1), isOthers, release, mark };
    } catch (error) {
      release?.();
      throw error;
    }
  }

  #named({ bytes, hashLow, hashHigh }: HashedKey): ReadKey {
    return { namespace: namespaceOf(this.#core), key: bytes, hashLow, hashHigh };
  }

  #take(key: HashedKey, told: TierEntry | undefined, flight: number): Brought<V> | undefined {
    if (told === undefined) return undefined;
    const entry = byWallClock(told, -this.#core.clockAheadMs);
    const now = this.#core.clock.now();
    const stale = entry.expiresAt <= now;
    if (stale && entry.staleUntil <= now) return undefined;
    const enclosed = opened(entry.value);
    const decoded = this.#decode(enclosed, key);
    if (decoded === undefined) {
      this.#access.countDamage();
      return undefined;
    }
    const { value } = decoded;
    if (stale) return { value, stale, superseded: false, entry };
    const outcome = this.#store(key, enclosed, entry, flight);
    const superseded = flight >= 0 && outcome === "superseded";
    return { value, stale, superseded, entry };
  }

  #decode({ codecId, bytes }: Enclosed, key: HashedKey): { readonly value: V } | undefined {
    try {
      return this.#decoder.decodeFill(codecId, Buffer.from(bytes), key);
    } catch {
      return undefined; // encoded by a version that this one does not know
    }
  }

  /** Stores what a tier had, with the times and tags it has there. The tiers are not told. */
  #store(
    key: HashedKey,
    { codecId, bytes }: Enclosed,
    entry: TierEntry,
    flight: number,
  ): WriteOutcome {
    if (flight < 0) return "superseded";
    const { writer, kernel } = this.#core;
    const { createdAt, expiresAt, staleUntil, tags } = entry;
    const fields: WriteFields = {
      codecId,
      flags: 0,
      createdMs: createdAt,
      expiresMs: expiresAt,
      staleUntilMs: staleUntil,
      tags: tags.length === 0 ? noTags : kernel.tags.encode(tags),
      flight,
      forDisk: this.#admits(key, bytes),
    };
    return writeValue(writer, key, bytes, fields);
  }

  #admits(key: HashedKey, bytes: Uint8Array): boolean {
    try {
      return this.#core.admission?.admits(key.toKey(), bytes.length) ?? false;
    } catch {
      return false; // the user's filter threw: the entry stays in memory
    }
  }
}
