// Mutants of the invalidation log, by which threads that find near values without their slots learn
// of writes. Called by mutant-table.ts.

import { entries, type Mutant, mutant } from "./mutant.js";

const invalidations = "src/kernel/assembly/invalidations.ts";

/** What `publish` does up to the change of an existing slot. */
const invalidationOfSlot = `let word = (fingerprint << at.slotFingerprintShift) | locationOf(record);
  locate(home, fingerprint, key, extent);
  let slot = located;
  if (slot != 0) {
    const old = locatedWord;
    const copy = diskCopyOf(old);
    if (copy != 0) announceTombstone(0, copy);
    if (replace(slot, old, word | (old & displacedBit))) {`;

/** How a change is noted. */
const noted = "store<f64>(block, reinterpret<f64>(noteInvalidation(hash)), at.resultChange);";

export const internedMutants: readonly Mutant[] = [
  mutant(
    "set-noted-late",
    "a set is noted after the slot has changed",
    entries,
    [`${noted}\n  ${invalidationOfSlot}`, `${invalidationOfSlot}\n      ${noted}`],
    "interned-by-two",
  ),
  mutant(
    "delete-not-noted",
    "a delete is not noted for those who find values without their slots",
    entries,
    [`${noted}\n  let answer = at.answerAbsent;`, "let answer = at.answerAbsent;"],
    "interned-delete",
    "interned-evict",
  ),
  mutant(
    "unlocked-not-noted",
    "what is taken away without its lock is not noted",
    entries,
    [`${noted}\n  return answer;`, "return answer;"],
    "interned-unlocked",
  ),
  mutant(
    "interned-under-lock",
    "a near value comes into an index while a writer has the key's lock",
    invalidations,
    ["if (atomic.load<u32>(bucketAt(home)) != 0) return 0;", ""],
    "interned-set",
    "interned-delete",
  ),
  mutant(
    "interned-unseen",
    "a near value comes into an index without another look at the slot",
    invalidations,
    [
      "if (locateLocation(home, fingerprintOf(hash), 0, location) == 0) return 0;\n  return frequencyOf(locatedWord) == at.slotFrequencyMax ? 1 : 0;",
      "return location != 0 ? 1 : 0;",
    ],
    "interned-set",
    "interned-delete",
  ),
  mutant(
    "invalidations-passed-over",
    "an invalidation that is numbered and not written yet is passed over",
    invalidations,
    ["if (lead < 0) break;", ""],
    "interned-noted",
  ),
  mutant(
    "clear-not-numbered",
    "a clear is not numbered for those who find values without their slots",
    "src/kernel/assembly/mod.ts",
    ["noteEpoch();\n  count(counterClears, 1);", "count(counterClears, 1);"],
    "interned-clear",
    "fresh-clear",
  ),
  mutant(
    "clear-numbered-early",
    "a clear is numbered before the epoch that says so",
    "src/kernel/assembly/mod.ts",
    [
      "atomic.add<u32>(at.controlNearEpoch, 1);\n  noteEpoch();",
      "noteEpoch();\n  atomic.add<u32>(at.controlNearEpoch, 1);",
    ],
    "interned-clear",
    "fresh-clear",
  ),
  mutant(
    "clear-stays-interned",
    "indexed values do not go at a clear",
    "src/near/invalidation-reader.ts",
    ["if (this.#control.nearEpoch() === this.#epoch) return isKnown;", "return isKnown;"],
    "interned-clear",
    "fresh-clear",
  ),
  mutant(
    "fresh-stays",
    "values are trusted although the key is written",
    "src/near/near-cache.ts",
    ["table.distrust(number);", ""],
    "fresh-set",
    "fresh-delete",
  ),
];
