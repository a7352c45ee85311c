// What one thread has of the tiers behind memory and disk: its way to them, and who tells them of
// changes. Made by openCache, if the option `tiers` names some, and by attachCache.
import { UndercroftError } from "../../base/mod.js";
import type { CustomCodec } from "../../config/mod.js";
import { EntryReader, GatedReader, type ThreadCore, type ValueDecoder } from "../../entries/mod.js";
import { createHasher } from "../../hash/mod.js";
import {
  type FlushDepth,
  type Numbered,
  Seals,
  type Tier,
  type TierAccess,
  TierGuest,
  TierHost,
  type TierInvalidation,
  TierReader,
  TierWords,
  TierWriter,
} from "../../outer-tiers/mod.js";
import { LeaseWords } from "../../processes/mod.js";
import type { Walked } from "../../bulk/mod.js";
import type { CacheEvents } from "../events.js";
import type { CacheHandle } from "../handle.js";
import type { OthersEnds } from "./others-ends.js";
import { claimTiers } from "./tier-options.js";

export class OuterSide {
  readonly access: TierAccess;
  readonly words: TierWords;
  readonly #custom: CustomCodec<unknown> | undefined;
  /** Ends entries that others ended in a tier; null until the cache is made. */
  #ends: OthersEnds | null = null;
  #release: () => void = () => undefined;
  /** Others change the tiers too. */
  readonly isShared: boolean;
  /** Of a process that shares its directory: what it reads from memory may be answered only while
   *  this is held. */
  readonly lease: LeaseWords | null;

  private constructor(
    words: TierWords,
    custom: CustomCodec<unknown> | undefined,
    isShared: boolean,
    lease: LeaseWords | null,
    accessOf: (invalidate: (change: TierInvalidation) => Numbered | undefined) => TierAccess,
  ) {
    this.words = words;
    this.isShared = isShared;
    this.lease = lease;
    this.access = accessOf((change) => this.#ends?.end(change));
    this.#custom = custom;
  }

  /** In the thread that opened the cache: the tiers themselves. Null without tiers. Throws
   *  RangeError if one is another cache's. */
  static async open(
    tiers: readonly Tier[],
    core: ThreadCore,
    cacheId: string,
    custom: CustomCodec<unknown> | undefined,
    events: CacheEvents,
    lease: LeaseWords | null,
  ): Promise<OuterSide | null> {
    if (tiers.length === 0) return null;
    const { config, kernel } = core;
    const { namespaces } = kernel;
    const versionsOf = (name: string): readonly string[] => [
      config.version,
      name === "" ? "" : namespaces.versionOf(namespaces.idOf(name)),
    ];
    const seals = new Seals(await createHasher(), config.codecName, versionsOf);
    const words = new TierWords();
    const isShared = tiers.some((tier) => tier.subscribe !== undefined);
    const release = claimTiers(tiers);
    const side = new OuterSide(words, custom, isShared, lease, (invalidate) => {
      return new TierHost(tiers, words, {
        kernel,
        cacheId,
        seals,
        now: () => core.clock.now() - core.clockAheadMs,
        down: (tier, error) => events.emit("tier-down", { tier, error }),
        up: (tier) => events.emit("tier-up", { tier }),
        failed: (error) => events.emit("error", { error }),
        invalidate,
      });
    });
    side.#release = release;
    return side;
  }

  /** In an attached thread: the way to the opener. Null if the cache has no tiers. */
  static attach(
    { id, tiers, processes }: Pick<CacheHandle, "id" | "tiers" | "processes">,
    core: ThreadCore,
    custom: CustomCodec<unknown> | undefined,
  ): OuterSide | null {
    if (tiers === null) return null;
    const words = new TierWords(tiers);
    const lease = processes === null ? null : new LeaseWords(processes);
    return new OuterSide(words, custom, false, lease, () => {
      return new TierGuest(words, core.kernel, id);
    });
  }

  /** What reads from the tiers for a key space. From now on they are told of its changes too. */
  readerOf<V>(core: ThreadCore, reader: EntryReader<V>): TierReader<V> {
    core.through = new TierWriter(core, this.access, this.#custom);
    return new TierReader(core, reader, this.access, this.lease);
  }

  /** From now on what others end in a tier ends here too. */
  connect(ends: OthersEnds): void {
    this.#ends = ends;
  }

  /** In the opener, once it is connected: listens to the tiers. Resolves when they hear of others,
   *  or after a second. */
  async listen(tiers: readonly Tier[]): Promise<void> {
    if (this.access instanceof TierHost) await this.access.listen(tiers);
  }

  /** What reads entries of a key space. */
  entriesOf<V>(core: ThreadCore, decoder: ValueDecoder<V>): EntryReader<V> {
    const { lease } = this;
    return lease === null ? new EntryReader(core, decoder) : new GatedReader(core, decoder, lease);
  }

  /** As `GatedReader`, for a walk. */
  answerable<T>(walk: Walked<T>): Walked<T> {
    return this.lease === null ? walk : whileHeld(walk, this.lease);
  }

  /** Of a process that shares its directory: resolves when no other process answers what this one
   *  has ended; else at once. Rejects with ERR_TIER. */
  async settle(): Promise<void> {
    if (this.lease !== null) await this.flush("others");
  }

  /** Rejects with ERR_TIER unless the tiers have made every change. */
  async flush(depth: FlushDepth): Promise<void> {
    if (await this.access.flush(depth)) return;
    throw new UndercroftError(
      "ERR_TIER",
      "Cannot flush: a tier is down, or has lost changes; its event says why",
    );
  }

  /** Ends this thread's way. In the opener the tiers make what waits first; rejects with ERR_TIER
   *  if they cannot. */
  async close(): Promise<void> {
    const left = await this.access.close();
    this.#release();
    if (left === 0) return;
    throw new UndercroftError(
      "ERR_TIER",
      `Cannot close in order: a tier is down, and ${left} changes were not made there; ` +
        "it has older values: clear it before the cache is opened with it again",
    );
  }
}

async function* whileHeld<T>(walk: Walked<T>, lease: LeaseWords): Walked<T> {
  for await (const one of walk) if (lease.isHeld()) yield one;
  return undefined;
}
