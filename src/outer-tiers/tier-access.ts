// How any thread of a cache reaches its tiers: the opener itself (tier-host.ts), or an attached
// thread by way of the opener (tier-guest.ts). Also what the two post to each other.
import type { Change } from "./change.js";
import type { FlushDepth, TierEntry, TierKey } from "./tier.js";

/** A key with its hash. */
export interface ReadKey extends TierKey {
  readonly hashLow: number;
  readonly hashHigh: number;
}

/** What a change is about, from before the cache changes until the tiers are told. */
export type Subject = { readonly hashLow: number; readonly hashHigh: number } | "all";

/** What who wants to load a key is answered. */
export interface Turn {
  /** What a tier has. */
  readonly entry: TierEntry | undefined;
  /** The lease of the key, to be released when its load has ended; undefined if there is none. */
  readonly token: string | undefined;
  /** Another loads it. It may have ended by now: look again. */
  readonly isOthers: boolean;
}

/** What who wants to load a key that is fresh is answered. */
export interface RenewalTurn extends Turn {
  /** The moment of the question (tier.ts). */
  readonly mark: number;
}

/** To `renew`: no mark. */
export const noMark = -1;
export const noTurn: Turn = { entry: undefined, token: undefined, isOthers: false };
export const noRenewal: RenewalTurn = { ...noTurn, mark: noMark };
/** The longest that one question waits for another's load. */
export const turnWaitMsMax = 30_000;

export interface TierAccess {
  /** Call before the cache changes; then one of the next three, without an await in between. */
  begin(subject: Subject): void;
  /** The cache has changed. */
  tell(change: Change): void;
  /** It has not. */
  cancel(): void;
  /** It may have: the key, or everything, is not taken from the tiers any more. */
  abandon(subject: Subject): void;
  /** The entries of keys, undefined where there is none or it cannot be told. Never rejects. What
   *  is answered is not older than any change that had returned when this was called. */
  read(keys: readonly ReadKey[]): Promise<readonly (TierEntry | undefined)[]>;
  /** As `read` of one key that is to be loaded unless a tier has it fresh. While another loads it,
   *  waits for that, at most `waitMs`. Never rejects. */
  turn(key: ReadKey, waitMs: number): Promise<Turn>;
  /** As `turn`, of a load that is to run although the key is fresh. Answers an entry only if its
   *  load began after the mark `since` was given, never for `noMark`. */
  renew(key: ReadKey, since: number, waitMs: number): Promise<RenewalTurn>;
  /** Ends a lease, once the tiers have made what this thread was told so far. */
  release(key: ReadKey, token: string): void;
  /** Counts an entry that does not decode. */
  countDamage(): void;
  /** Resolves when the tiers have made every change that any thread was told of, or to false if one
   *  is down or has lost some. */
  flush(depth: FlushDepth): Promise<boolean>;
  /** Ends the access. In the opener it makes what waits first; answers how many changes no tier has
   *  made. */
  close(): Promise<number>;
}

/** From an attached thread to the opener. The first four are counted (tier-words.ts). */
export type ToHost =
  | { readonly kind: "change"; readonly change: Change; readonly isCut: boolean }
  | { readonly kind: "cancel" }
  | { readonly kind: "abandon"; readonly subject: Subject }
  | { readonly kind: "read"; readonly ticket: number; readonly keys: readonly ReadKey[] }
  | {
      readonly kind: "turn";
      readonly ticket: number;
      readonly key: ReadKey;
      readonly waitMs: number;
    }
  | {
      readonly kind: "renew";
      readonly ticket: number;
      readonly key: ReadKey;
      readonly since: number;
      readonly waitMs: number;
    }
  | { readonly kind: "release"; readonly key: ReadKey; readonly token: string }
  | { readonly kind: "flush"; readonly ticket: number; readonly depth: FlushDepth }
  | { readonly kind: "damage" };

/** From the opener to the thread that asked. */
export type ToGuest =
  | {
      readonly kind: "entries";
      readonly ticket: number;
      readonly entries: readonly (TierEntry | undefined)[];
    }
  | { readonly kind: "turn"; readonly ticket: number; readonly turn: Turn }
  | { readonly kind: "renewal"; readonly ticket: number; readonly turn: RenewalTurn }
  | { readonly kind: "flushed"; readonly ticket: number; readonly isDone: boolean };

/** The channel between the opener and one attached thread. */
export function channelName(cacheId: string, thread: number): string {
  return `undercroft-tiers:${cacheId}:${thread}`;
}
