// A change of the cache as the thread that made it tells it to the opener, which passes it on to
// the tiers. Plain data that can be posted.
import type { TierChange, TierEntry, TierInvalidation, TierKey } from "./tier.js";

/** A key was set, or (entry null) is gone. */
export interface KeyChange extends TierKey {
  readonly kind: "key";
  readonly hashLow: number;
  readonly hashHigh: number;
  /** Of two changes of one key the later one has the larger number, whichever threads made them. */
  readonly change: number;
  /** Of the record that was set: older than a tag's invalidation, or not. */
  readonly sequence: number;
  readonly entry: TierEntry | null;
}

/** The entries that one of these names is for are gone, if they are not newer. */
export interface VoidChange {
  readonly kind: "void";
  readonly names: readonly string[];
  readonly sequence: number;
}

export type Change = KeyChange | VoidChange;

// What many entries end by at once has a name: a tag, a namespace, or everything.

export const everything = "*";
const tagLead = "t";
const namespaceLead = "n";

export function nameOfTag(tag: string): string {
  return tagLead + tag;
}

export function nameOfNamespace(namespace: string): string {
  return namespaceLead + namespace;
}

/** All names that end an entry. */
export function namesOf({ namespace }: TierKey, tags: readonly string[]): string[] {
  return [everything, nameOfNamespace(namespace), ...tags.map(nameOfTag)];
}

/** What ends the entries of a name in a tier. */
export function endOf(name: string): TierChange {
  if (name === everything) return { kind: "clear", namespace: null };
  const rest = name.slice(1);
  return name.startsWith(tagLead)
    ? { kind: "delete-by-tag", namespace: null, tag: rest }
    : { kind: "clear", namespace: rest };
}

/** The names that an invalidation by others ends. A tag of one namespace ends it in all of them:
 *  more than need be. */
export function namesEndedBy(change: TierInvalidation): string[] {
  if (change.kind === "delete") return [];
  if (change.kind === "delete-by-tag") return [nameOfTag(change.tag)];
  return [change.namespace === null ? everything : nameOfNamespace(change.namespace)];
}

/** One text for a key of a namespace. */
export function idOf({ namespace, key }: TierKey): string {
  const text = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
  return `${namespace.length}:${namespace}${text}`;
}

export function tierChangeOf(change: KeyChange): TierChange {
  const { namespace, key, entry } = change;
  return entry === null
    ? { kind: "delete", namespace, key }
    : { kind: "set", namespace, key, entry };
}
