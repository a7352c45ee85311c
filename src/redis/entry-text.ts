// Keys, names and entries as the server has them. This file owns the texts:
//
//   id     "<bytes of the namespace>:<namespace><key>"
//   name   "*" everything, "n<namespace>", "t<tag>", "x<bytes>:<namespace><tag>" a tag in one
//   body   "<created> <expires> <stale> <bytes of tags> <tags as JSON><value>"; "inf" is never
import type { TierEntry, TierInvalidation, TierKey } from "../outer-tiers/mod.js";

export function idOf({ namespace, key }: TierKey): Buffer {
  const name = Buffer.from(namespace, "utf8");
  return Buffer.concat([Buffer.from(`${name.length}:`), name, key]);
}

/** The key of an id; undefined if it is none. */
export function keyOf(id: Buffer): TierKey | undefined {
  const colon = id.indexOf(0x3a);
  const size = Number(id.toString("latin1", 0, Math.max(0, colon)));
  const end = colon + 1 + size;
  if (colon < 1 || !Number.isSafeInteger(size) || end > id.length) return undefined;
  return { namespace: id.toString("utf8", colon + 1, end), key: new Uint8Array(id.subarray(end)) };
}

/** What ends all entries of a name. */
export type Voiding = Exclude<TierInvalidation, { kind: "delete" }>;

export function nameOf(change: Voiding): string {
  const { kind, namespace } = change;
  if (kind === "clear") return namespace === null ? "*" : `n${namespace}`;
  return namespace === null ? `t${change.tag}` : tagIn(namespace, change.tag);
}

function tagIn(namespace: string, tag: string): string {
  return `x${Buffer.byteLength(namespace)}:${namespace}${tag}`;
}

/** What a name ends; everything if it is none. */
export function voidingOf(name: Buffer): Voiding {
  const rest = name.subarray(1);
  switch (String.fromCharCode(name[0] ?? 0)) {
    case "n":
      return { kind: "clear", namespace: rest.toString("utf8") };
    case "t":
      return { kind: "delete-by-tag", namespace: null, tag: rest.toString("utf8") };
    case "x": {
      const found = keyOf(Buffer.from(rest));
      if (found === undefined) break;
      const { namespace, key } = found;
      return { kind: "delete-by-tag", namespace, tag: Buffer.from(key).toString("utf8") };
    }
  }
  return { kind: "clear", namespace: null };
}

/** All names that end an entry, but the one of everything. */
export function namesOf({ namespace }: TierKey, tags: readonly string[]): Buffer {
  const names = [`n${namespace}`, ...tags.flatMap((tag) => [`t${tag}`, tagIn(namespace, tag)])];
  return Buffer.from(names.map((name) => `${Buffer.byteLength(name)}:${name}`).join(""));
}

export function bodyOf({ createdAt, expiresAt, staleUntil, tags, value }: TierEntry): Buffer {
  const time = (ms: number): string => (ms === Infinity ? "inf" : String(ms));
  const names = Buffer.from(JSON.stringify(tags));
  const times = [createdAt, expiresAt, staleUntil].map(time).join(" ");
  return Buffer.concat([Buffer.from(`${times} ${names.length} `), names, value]);
}

/** The entry of a body; undefined if it is none. */
export function entryOf(body: unknown): TierEntry | undefined {
  if (!(body instanceof Uint8Array)) return undefined;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const fields: string[] = [];
  let at = 0;
  while (fields.length < 4) {
    const space = bytes.indexOf(0x20, at);
    if (space < 0) return undefined;
    fields.push(bytes.toString("latin1", at, space));
    at = space + 1;
  }
  const [createdAt, expiresAt, staleUntil, size] = fields.map((text) =>
    text === "inf" ? Infinity : Number(text),
  ) as [number, number, number, number];
  const tags = tagsOf(bytes.toString("utf8", at, at + size));
  return { createdAt, expiresAt, staleUntil, tags, value: bytes.subarray(at + size) };
}

function tagsOf(text: string): readonly string[] {
  try {
    const tags: unknown = JSON.parse(text);
    return Array.isArray(tags) ? (tags as string[]) : [];
  } catch {
    return []; // damaged: the seal covers the tags
  }
}
