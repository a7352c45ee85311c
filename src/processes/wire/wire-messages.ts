// What processes that share a directory say to each other. The process that has the directory is
// the owner; each process, the owner's too, has a connection to it as a member. Bodies are fields
// in the order below; keys are those of the directory's cache (space-keys.ts).
import type { FlushDepth, TierEntry } from "../../outer-tiers/mod.js";
import { ByteReader, ByteWriter, ProtocolFault } from "./byte-stream.js";

/** Raised whenever a message changes its meaning. Peers of two versions refuse each other. */
export const protocolVersion = 2;
/** The most keys, or changes, of one message. */
export const listMax = 1 << 19;
const tagsMax = 1024;
const entryVersion = 1;

/** The kinds of messages. `m` is said by a member, `o` by the owner. */
export const kinds = {
  hello: 1, // m: protocol u16, user f64, process f64
  welcome: 2, // o: number f64 of the newest end, process f64
  refused: 3, // o: reason text; then the owner ends the connection
  read: 4, // m: keys
  entries: 5, // o: for each key its entry's bytes, none if it has none
  apply: 6, // m: seen f64, changes
  applied: 7, // o
  settle: 8, // m: index of depths u8
  settled: 9, // o: code text, message text; both empty if it worked
  ping: 10, // m
  pong: 11, // o: the member may answer from its memory for leaseMs since the ping
  ended: 12, // o: number f64, changes that others made
  seen: 13, // m: number f64: nothing that these ended is answered any more
  lease: 14, // m: key, token text
  turn: 15, // o: wait in ms u32, whether the lease was given u8, the entry's bytes
  release: 16, // m: key, token text
  freed: 17, // o: key
  bye: 18, // m: it answers nothing any more
  closing: 19, // o: the directory is closed; the member answers nothing, and says so by `seen`
  renew: 20, // m: key, token text, since f64
  renewal: 21, // o: wait in ms u32, whether the lease was given u8, mark f64, the entry's bytes
} as const;

/** What a member waits for: others, the disk, or the disk of a machine that stops. */
export const depths: readonly FlushDepth[] = ["others", "disk", "fsync"];

/** A change of the directory's cache. */
export type Change = { readonly kind: "set"; readonly key: Buffer; readonly entry: Buffer } | End;

/** What ends entries. A name is a tag or a namespace (space-keys.ts); "*" is all there is. */
export type End =
  | { readonly kind: "delete"; readonly key: Buffer }
  | { readonly kind: "void"; readonly name: string };

const changeSet = 1;
const changeDelete = 2;
const changeVoid = 3;

export function writeChanges(writer: ByteWriter, changes: readonly Change[]): ByteWriter {
  writer.u32(changes.length);
  for (const change of changes) {
    if (change.kind === "set") writer.u8(changeSet).bytes(change.key).bytes(change.entry);
    else if (change.kind === "delete") writer.u8(changeDelete).bytes(change.key);
    else writer.u8(changeVoid).text(change.name);
  }
  return writer;
}

export function readChanges(reader: ByteReader): Change[] {
  return reader.list(listMax, () => {
    const kind = reader.u8();
    if (kind === changeSet) return { kind: "set", key: reader.bytes(), entry: reader.bytes() };
    if (kind === changeDelete) return { kind: "delete", key: reader.bytes() };
    if (kind === changeVoid) return { kind: "void", name: reader.text() };
    throw new ProtocolFault(`a change has kind ${kind}`);
  });
}

// ── Entries, as they travel and as the directory's cache has them ─────────────────────────────
//
//    0 ┬ version    u8
//    1 ├ createdAt  f64, expiresAt f64, staleUntil f64
//   25 ├ tags       u32 number, then each as text
//      ┴ value      the envelope of outer-tiers/envelope.ts

export function encodeEntry(entry: TierEntry): Buffer {
  const writer = new ByteWriter();
  writer.u8(entryVersion).f64(entry.createdAt).f64(entry.expiresAt).f64(entry.staleUntil);
  writer.u32(entry.tags.length);
  for (const tag of entry.tags) writer.text(tag);
  return writer.raw(entry.value).end();
}

/** Undefined if the bytes are an entry of another version. */
export function decodeEntry(bytes: Uint8Array): TierEntry | undefined {
  const reader = new ByteReader(bytes);
  if (reader.u8() !== entryVersion) return undefined;
  const times = { createdAt: reader.f64(), expiresAt: reader.f64(), staleUntil: reader.f64() };
  const tags = reader.list(tagsMax, () => reader.text());
  return { ...times, tags, value: reader.rest() };
}
