// Faults in a change of the disk's capacity that the schedules must show. Called by
// mutant-table.ts.

import { type Mutant, mutant } from "./mutant.js";

export const resizedMutants: readonly Mutant[] = [
  mutant(
    "removed-untold",
    "a thread goes on with a file that has left the disk",
    "src/kernel/words/control-block.ts",
    ["Atomics.add(this.#i32, dir.controlDiskFilesRemoved / 4, 1);", ""],
    "file-replaced",
  ),
];
