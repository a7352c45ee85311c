// The names of entries in the directory's cache, which knows neither namespaces nor versions: a key
// has in front of it to whom it belongs. Processes of two versions, or with two codecs, share a
// directory and never find each other's values.
//
//   realm   8 bytes  hash of the codec's name and the versions of cache and namespace
//   length  u8       of the namespace's name
//   namespace        UTF-8
//   key
import { createHash } from "node:crypto";
import { assert } from "../base/mod.js";
import type { TierInvalidation, TierKey } from "../outer-tiers/mod.js";
import type { End } from "./wire/wire-messages.js";

const realmBytes = 8;
const tagLead = "t";
const namespaceLead = "n";
export const everything = "*";

/** The name by which entries with a tag end. */
export function nameOfTag(tag: string): string {
  return tagLead + tag;
}

export function nameOfNamespace(namespace: string): string {
  return namespaceLead + namespace;
}

/** The name by which all entries of a composed key's namespace end. */
export function namespaceNameOf(key: Buffer): string {
  const length = key.readUInt8(realmBytes);
  return nameOfNamespace(key.toString("utf8", realmBytes + 1, realmBytes + 1 + length));
}

/** Whether bytes can be a composed key. */
export function isSpaceKey(key: Buffer): boolean {
  return key.length > realmBytes && key.length > realmBytes + 1 + key.readUInt8(realmBytes);
}

/** Composes the keys of one process, and takes them apart. */
export class SpaceKeys {
  readonly #partsOf: (namespace: string) => readonly string[] | undefined;
  readonly #leads = new Map<string, Buffer>();

  /** `partsOf`: the codec's name and the versions under which entries of a namespace are stored;
   *  undefined for one that nobody has used in this process. */
  constructor(partsOf: (namespace: string) => readonly string[] | undefined) {
    this.#partsOf = partsOf;
  }

  #lead(namespace: string): Buffer | undefined {
    const known = this.#leads.get(namespace);
    if (known !== undefined) return known;
    const parts = this.#partsOf(namespace);
    if (parts === undefined) return undefined;
    const text = JSON.stringify(parts);
    const realm = createHash("sha256").update(text).digest().subarray(0, realmBytes);
    const name = Buffer.from(namespace, "utf8");
    const lead = Buffer.concat([realm, Buffer.of(name.length), name]);
    this.#leads.set(namespace, lead);
    return lead;
  }

  compose({ namespace, key }: TierKey): Buffer {
    const lead = this.#lead(namespace);
    assert(lead !== undefined, "a namespace is in use before its keys are");
    return Buffer.concat([lead, key]);
  }

  /** The key and its namespace; undefined if it belongs to another realm. */
  apart(composed: Buffer): TierKey | undefined {
    if (!isSpaceKey(composed)) return undefined;
    const length = composed.readUInt8(realmBytes);
    const end = realmBytes + 1 + length;
    const namespace = composed.toString("utf8", realmBytes + 1, end);
    if (this.#lead(namespace)?.equals(composed.subarray(0, end)) !== true) return undefined;
    return { namespace, key: new Uint8Array(composed.subarray(end)) };
  }

  /** What ends entries in the directory's cache. */
  endOf(change: TierInvalidation): End {
    if (change.kind === "delete") return { kind: "delete", key: this.compose(change) };
    if (change.kind === "delete-by-tag") return { kind: "void", name: nameOfTag(change.tag) };
    const { namespace } = change;
    return { kind: "void", name: namespace === null ? everything : nameOfNamespace(namespace) };
  }

  /** What ended for this process; undefined if nothing of its own did. */
  endedBy(end: End): TierInvalidation | undefined {
    if (end.kind === "delete") {
      const key = this.apart(end.key);
      return key === undefined ? undefined : { kind: "delete", ...key };
    }
    const { name } = end;
    if (name === everything) return { kind: "clear", namespace: null };
    const rest = name.slice(1);
    return name.startsWith(tagLead)
      ? { kind: "delete-by-tag", namespace: null, tag: rest }
      : { kind: "clear", namespace: rest };
  }
}
