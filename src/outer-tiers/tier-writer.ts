// Tells the tiers of the changes that one thread makes. Called by the entry writer. Invariants: no
// user code runs between `begin` and what ends it; a change that throws there is abandoned.
import { type Codec, createCodec, type CustomValueCodec } from "../codec/mod.js";
import { byWallClock, type ThreadCore, type WriteThrough } from "../entries/mod.js";
import { HashedKey, type Key } from "../kernel/mod.js";
import type { WriteFields, WriteOutcome } from "../memory/mod.js";
import { codecSchema } from "../record/mod.js";
import { everything, type KeyChange, nameOfNamespace, nameOfTag } from "./change.js";
import { enclose, type Enclosed } from "./envelope.js";
import type { TierEntry } from "./tier.js";
import type { Subject, TierAccess } from "./tier-access.js";

/** The name of a thread's key space in the tiers; "" for the cache's own. */
export function namespaceOf({ namespace }: ThreadCore): string {
  return namespace?.name ?? "";
}

/** What a write answers that has not changed the key. */
const unchanged: ReadonlySet<WriteOutcome> = new Set(["superseded", "changed", "outdated"]);

export class TierWriter implements WriteThrough {
  readonly #core: ThreadCore;
  readonly #access: TierAccess;
  /** Without schemas: their dictionary is the directory's, and a tier may be read without it. */
  readonly #codec: Codec;

  constructor(core: ThreadCore, access: TierAccess, custom: CustomValueCodec | undefined) {
    this.#core = core;
    this.#access = access;
    this.#codec = createCodec(core.config, custom);
  }

  write(
    key: Key | HashedKey,
    value: unknown,
    bytes: Uint8Array,
    fields: WriteFields,
    tags: readonly string[],
    publish: (key: HashedKey, bytes: Uint8Array) => WriteOutcome,
  ): WriteOutcome {
    const hashed = this.#hashed(key);
    // A key longer than a segment is in no cache and no tier.
    if (!hashed.isHashed) return publish(hashed, bytes);
    const { record, entry } = this.#encode(hashed, value, bytes, fields, tags);
    return this.#change(
      hashed,
      () => publish(hashed, record),
      (outcome) => !unchanged.has(outcome),
      (outcome) => (outcome === "stored" ? entry : null),
    );
  }

  /** The bytes of the record, and the entry for the tiers. */
  #encode(
    key: HashedKey,
    value: unknown,
    bytes: Uint8Array,
    { codecId, createdMs, expiresMs, staleUntilMs }: WriteFields,
    tags: readonly string[],
  ): { readonly record: Uint8Array; readonly entry: TierEntry } {
    let record = bytes;
    let enclosed: Enclosed = { codecId, bytes };
    if (codecId === codecSchema) {
      record = Buffer.from(bytes); // the next encode reuses the scratch
      const plain = this.#codec.encode(value, key.toKey());
      enclosed = { codecId: this.#codec.lastCodecId, bytes: plain };
    }
    const times = { createdAt: createdMs, expiresAt: expiresMs, staleUntil: staleUntilMs };
    const entry = { ...times, value: enclose(enclosed), tags: [...tags] };
    return { record, entry: byWallClock(entry, this.#core.clockAheadMs) };
  }

  remove<T>(key: Key | HashedKey, change: (key: HashedKey) => T): T {
    const hashed = this.#hashed(key);
    if (!hashed.isHashed) return change(hashed);
    const { results } = this.#core.kernel;
    const before = results.change;
    return this.#change(
      hashed,
      () => change(hashed),
      () => results.change !== before,
      () => null,
    );
  }

  clear(change: () => void): void {
    const namespace = namespaceOf(this.#core);
    this.#invalidate([namespace === "" ? everything : nameOfNamespace(namespace)], change);
  }

  deleteByTag(tags: readonly string[], change: () => void): void {
    this.#invalidate(tags.map(nameOfTag), change);
  }

  #invalidate(names: readonly string[], change: () => void): void {
    this.#around("all", () => {
      change();
      // Not below the sequence of the change itself; what is set meanwhile may be forgotten.
      const sequence = this.#core.kernel.control.sequence();
      this.#access.tell({ kind: "void", names, sequence });
    });
  }

  #change<T>(
    key: HashedKey,
    change: () => T,
    hasChanged: (answer: T) => boolean,
    entryOf: (answer: T) => TierEntry | null,
  ): T {
    const { hashLow, hashHigh } = key;
    return this.#around({ hashLow, hashHigh }, () => {
      const answer = change();
      if (!hasChanged(answer)) {
        this.#access.cancel();
        return answer;
      }
      const { results } = this.#core.kernel;
      const told: KeyChange = {
        kind: "key",
        namespace: namespaceOf(this.#core),
        key: new Uint8Array(key.bytes),
        hashLow,
        hashHigh,
        change: results.change,
        sequence: results.sequence,
        entry: entryOf(answer),
      };
      this.#access.tell(told);
      return answer;
    });
  }

  #around<T>(subject: Subject, change: () => T): T {
    this.#access.begin(subject);
    let isOver = false;
    try {
      const answer = change();
      isOver = true;
      return answer;
    } finally {
      if (!isOver) this.#access.abandon(subject);
    }
  }

  #hashed(key: Key | HashedKey): HashedKey {
    if (key instanceof HashedKey) return key;
    const { keys } = this.#core;
    keys.write(key);
    return keys.take(key);
  }
}
