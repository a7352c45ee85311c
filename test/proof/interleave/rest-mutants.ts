// Faults in the janitor's sleep that the schedules must show. Called by mutant-table.ts.

import { entries, type Mutant, mutant } from "./mutant.js";

const segments = "src/kernel/assembly/segments/segments.ts";

export const restMutants: readonly Mutant[] = [
  mutant(
    "write-wakes-nobody",
    "a write does not wake the janitor",
    entries,
    ["if (answer == at.answerDone) noteEntry(record);", ""],
    "rest",
  ),
  mutant(
    "woken-without-bell",
    "who wakes the janitor does not ring",
    segments,
    [
      "if (atomic.cmpxchg<u32>(at.controlAsleep, 1, 0) == 1) ring();",
      "atomic.store<u32>(at.controlAsleep, 0);",
    ],
    "rest",
  ),
  mutant(
    "deadline-before-slot",
    "a deadline is noted before the slot shows its entry",
    entries,
    [
      "noteRecord(record, sequence);\n  store<f64>(block, reinterpret<f64>(noteInvalidation(hash)), at.resultChange);",
      "noteRecord(record, sequence);\n  noteEntry(record);\n  store<f64>(block, reinterpret<f64>(noteInvalidation(hash)), at.resultChange);",
    ],
    "rest-deadline",
  ),
  mutant(
    "deadline-stored",
    "a deadline is stored although a sooner one was noted meanwhile",
    segments,
    [
      "const was = atomic.cmpxchg<u64>(at.controlSoonest, seen, reinterpret<u64>(deadline));",
      "const was = seen;\n    atomic.store<u64>(at.controlSoonest, reinterpret<u64>(deadline));",
    ],
    "rest-replaced",
  ),
];
