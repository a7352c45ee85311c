// Writes in the order of their callers: a set, a fill or a delete with a revision changes nothing
// if the key has a newer one. Called by the entry writer and the updater. Invariants: the kernel
// compares the revisions under the key's lock, where only records in memory can be compared; so an
// entry that is on disk only is brought to memory first. A delete leaves a record without a value,
// which outlives it as long as an older write may come.
import { codes, HashedKey, type Key } from "../../kernel/mod.js";
import { type Found, type WriteFields, type WriteOutcome, writeValue } from "../../memory/mod.js";
import { codecNegative, flagDeletion, isInternal } from "../../record/mod.js";
import type { ThreadCore } from "../thread-core.js";

/** How long a delete with a revision is remembered, unless memory is short. */
export const deletionMs = 3_600_000;
/** Attempts to write while the entry moves between memory and disk at each. */
const attemptsMax = 8;

const noBytes = new Uint8Array(0);

/** As `writeValue`, for fields with a revision. Never "changed". */
export function writeInOrder(
  core: ThreadCore,
  key: Key | HashedKey,
  bytes: Uint8Array,
  fields: WriteFields,
): WriteOutcome {
  const { revision = 0 } = fields;
  const ordered = { ...fields, condition: { kind: codes.conditionRevision, wanted: revision } };
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const outcome = writeValue(core.writer, key, bytes, ordered);
    if (outcome !== "changed") return outcome;
    if (bringToMemory(core, key) === undefined) break;
  }
  // Nobody can say which of the two is older. Without both, nothing older is left.
  return core.writer.overload(key);
}

/** Deletes the key unless its revision is newer, and remembers the delete. Whether a value was
 *  there and is gone. */
export function deleteInOrder(core: ThreadCore, key: Key, revision: number): boolean {
  const { writer, reader, clock, kernel } = core;
  const condition = { kind: codes.conditionRevision, wanted: revision };
  const createdMs = Math.floor(clock.now());
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found = bringToMemory(core, key);
    if (found === undefined) break;
    const { flags, expiresMs } = reader.record;
    const wasThere = found === "memory" && !isInternal(flags) && expiresMs > createdMs;
    const outcome = writer.write(key, noBytes, {
      codecId: codecNegative,
      flags: flagDeletion,
      createdMs,
      expiresMs: createdMs + deletionMs,
      staleUntilMs: createdMs + deletionMs,
      tags: noBytes,
      flight: -1,
      forDisk: false,
      revision,
      condition,
    });
    if (outcome === "changed") continue;
    if (outcome === "outdated") return false;
    if (outcome === "stored") markAsHit(core);
    return wasThere;
  }
  const wasThere = writer.remove(key);
  return wasThere && !(kernel.results.expires !== 0 && kernel.results.expires <= createdMs);
}

/** Marks the record that was just written as one that is hit often: nobody reads it, and it leaves
 *  late all the same. */
function markAsHit({ kernel }: ThreadCore): void {
  const { slot, slotLow, slotHigh } = kernel.results;
  for (let hit = 0; hit < codes.slotFrequencyMax; hit++) {
    kernel.verbs.touch(slot, slotLow, slotHigh);
  }
}

/** The revision that a delete of the key carried, and until when it counts; undefined if no delete
 *  that carried one is remembered. */
export function deletionOf(
  { reader, clock }: ThreadCore,
  key: HashedKey,
): { readonly revision: number; readonly untilMs: number } | undefined {
  if (reader.findHashed(key, false) !== "memory") return undefined;
  const { flags, revision, staleUntilMs } = reader.record;
  if (!isInternal(flags) || revision === undefined || staleUntilMs <= clock.now()) return undefined;
  return { revision, untilMs: staleUntilMs };
}

/** Where the key's record is, once it is not on disk only; undefined if it could not be read. */
export function bringToMemory(core: ThreadCore, key: Key | HashedKey): Found | undefined {
  const { reader, disk } = core;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found =
      key instanceof HashedKey ? reader.findHashed(key, false) : reader.find(key, false);
    if (found !== "disk" || disk === null) return found;
    if (disk.promoteSync(reader.slotRef()) === "unreadable") return undefined;
  }
  return undefined;
}
