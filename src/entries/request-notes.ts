// Notes this thread's requests while somebody records them (`undercroft record`). Called by the
// entry reader, before it looks, and by the entry writer, after it has stored. While nobody
// records, both only read a word.
import { readBytesOfLocation } from "../disk/mod.js";
import { HashedKey, type Key } from "../kernel/mod.js";
import { largeValueOf, type WriteFields } from "../memory/mod.js";
import { loadClassUnknown, loadMsOf } from "../policy/mod.js";
import { isHead, isInternal } from "../record/mod.js";
import { type EntryFacts, sizeAbsent } from "../stats/mod.js";
import type { ThreadCore } from "./thread-core.js";

const nothing: EntryFacts = { size: sizeAbsent, ttl: 0, loadUs: 0 };

/** A request for a key: with what is known of its entry. Uses the key window and the record
 *  reader. */
export function noteRequest(core: ThreadCore, key: Key): void {
  const { requests } = core;
  if (requests?.isOn() !== true) return;
  // What is no key has no hash: the look that follows refuses it.
  const isKey = typeof key === "string" || key instanceof Uint8Array;
  const hash = isKey ? requests.hash(core.keys.space, key) : undefined;
  if (hash !== undefined) requests.note(hash, factsOf(core, key), false);
}

/** An entry was stored: `bytes` as stored. `loadMs` is how long its loader took, if one did. */
export function noteStore(
  core: ThreadCore,
  key: Key | HashedKey,
  bytes: number,
  fields: WriteFields,
  loadMs: number | undefined,
): void {
  const { requests } = core;
  if (requests?.isOn() !== true) return;
  const name = key instanceof HashedKey ? key.toKey() : key;
  const hash = requests.hash(core.keys.space, name);
  if (hash === undefined) return;
  const length = typeof name === "string" ? Buffer.byteLength(name) : name.length;
  const size = core.writer.sizeOf(length, bytes, fields);
  const ttl = ttlOf(fields.expiresMs - fields.createdMs);
  requests.note(hash, { size, ttl, loadUs: loadMs === undefined ? 0 : loadMs * 1000 }, true);
}

function factsOf({ reader, handle }: ThreadCore, key: Key): EntryFacts {
  const found = reader.find(key, false);
  if (found === "disk" && handle.disk !== null) {
    // To within its class of sizes, which is what the index says.
    const size = readBytesOfLocation(reader.found.location, handle.disk.segmentBytes);
    return { size, ttl: 0, loadUs: 0 };
  }
  if (found !== "memory") return nothing;
  const { record } = reader;
  const { flags, size, expiresMs, createdMs, loadClass } = record;
  if (isInternal(flags) && !isHead(flags)) return nothing;
  const loadUs = loadClass === loadClassUnknown ? 0 : loadMsOf(loadClass) * 1000;
  const more = isHead(flags) ? largeValueOf(record).bytes : 0;
  return { size: size + more, ttl: ttlOf(expiresMs - createdMs), loadUs };
}

/** In whole seconds, at least one; 0 = for ever. */
function ttlOf(ms: number): number {
  return ms === Infinity ? 0 : Math.min(2 ** 31, Math.max(1, Math.round(ms / 1000)));
}
