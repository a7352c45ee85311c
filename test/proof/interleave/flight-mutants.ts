// Faults in the flight table that the schedules must show. Called by mutant-table.ts.

import { type Mutant, mutant } from "./mutant.js";

const flights = "src/kernel/assembly/flights.ts";

export const flightMutants: readonly Mutant[] = [
  mutant(
    "flights-unannounced",
    "a thread does not say that it has flights, so writes skip the table",
    flights,
    ["if (own == 0) atomic.or<u64>(at.controlFlightThreads, threadBit(selfId));", ""],
    "fill-set",
  ),
  mutant(
    "one-window",
    "a write looks for fills in the first window of its key only",
    flights,
    [
      "if (atomic.load<u64>(hashAt(number)) == hash) supersede(number, hash);\n    }\n  }",
      "if (atomic.load<u64>(hashAt(number)) == hash) supersede(number, hash);\n    }\n    break;\n  }",
    ],
    "flight-in-second-window",
  ),
  mutant(
    "claim-stored",
    "a flight is claimed by a store and not by a compare and exchange",
    flights,
    [
      "if (atomic.cmpxchg<u32>(flight, fl.flightFree, claimed) != fl.flightFree) continue;",
      "if (atomic.load<u32>(flight) != fl.flightFree) continue;\n    atomic.store<u32>(flight, claimed);",
    ],
    "flights-full-two-keys",
    "fill-fill",
  ),
  mutant(
    "flight-without-generation",
    "an active flight does not name its generation",
    flights,
    [
      "atomic.store<u32>(flight, fl.flightActive | (generation << fl.flightStateShift));",
      "atomic.store<u32>(flight, fl.flightActive | ((generation - generation) << fl.flightStateShift));",
    ],
    "flight-of-another-key",
  ),
  mutant(
    "hash-of-the-last",
    "a write supersedes a flight whose hash it saw before another key had it",
    flights,
    ["if (atomic.load<u64>(hashAt(number)) != hash) return;", ""],
    "flight-of-another-key",
  ),
];
