// Faults in what the janitor does when it is refused the lock of a key. Called by mutant-table.ts.

import { type Mutant, mutant } from "./mutant.js";

const diskMoves = "src/kernel/assembly/moves/disk-moves.ts";

export const refusedMutants: readonly Mutant[] = [
  mutant(
    "refused-is-absent",
    "an entry whose lock is held counts as not there, and its file is written over",
    diskMoves,
    [
      "return at.answerBusy;\n  const slot = locateLocation(home, fingerprint, diskBit, <u64>location);\n  let answer = at.answerAbsent;\n  if (slot != 0) {\n    const word",
      "return at.answerAbsent;\n  const slot = locateLocation(home, fingerprint, diskBit, <u64>location);\n  let answer = at.answerAbsent;\n  if (slot != 0) {\n    const word",
    ],
    "reclaim-refused",
  ),
  mutant(
    "rewrite-is-absent",
    "an entry whose lock is held when it is to be written again counts as not there",
    diskMoves,
    [
      "return at.answerBusy;\n  // The new segment gets",
      "return at.answerAbsent;\n  // The new segment gets",
    ],
    "rewrite-refused",
  ),
  mutant(
    "unvisited-uncounted",
    "a slot whose lock is held does not count as left in a file that is to be freed",
    diskMoves,
    ["unvisited += 1;\n          break;", "break;"],
    "copy-refused",
    "reclaim-refused",
  ),
  mutant(
    "copies-stay",
    "an entry in memory keeps its copy in a file that is freed",
    diskMoves,
    [
      "else forgetCopy(slot, word);",
      "else {\n            unlock(bucketAt(home));\n            break;\n          }",
    ],
    "copy-refused",
  ),
];
