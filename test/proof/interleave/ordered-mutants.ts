// Faults in updates, revisions and guards that the schedules must show. Called by mutant-table.ts.

import { entries, type Mutant, mutant } from "./mutant.js";

const flights = "src/kernel/assembly/flights.ts";
const condition = "src/kernel/assembly/index/condition.ts";
const guard = "src/kernel/assembly/index/guard.ts";

export const orderedMutants: readonly Mutant[] = [
  mutant(
    "update-of-another",
    "an update is stored whatever came meanwhile",
    condition,
    ["return <f64>sequenceOf(record) == wanted ? at.answerDone : at.answerChanged;", "return 1;"],
    "update-update",
  ),
  mutant(
    "update-of-taken",
    "an update is stored although a delete without the lock took what it saw since it was judged",
    entries,
    [
      "if (slot == 0 && needsRecord(condition, wanted)) return unlocked(home, at.answerChanged);",
      "",
    ],
    "update-delete",
    "update-set",
  ),
  mutant(
    "update-of-nothing",
    "an update is stored although the entry is gone",
    condition,
    ["return condition == at.conditionSequence && wanted != 0;", "return false;"],
    "update-delete",
  ),
  mutant(
    "revision-unseen",
    "a write with a revision is stored over a newer one",
    condition,
    ["return found > revision;", "return false;"],
    "revision-set",
    "revision-delete",
  ),
  mutant(
    "delete-no-newer",
    "a value is stored over a delete with its revision",
    condition,
    ["return !isRemoval && isValueless(record);", "return false;"],
    "revision-delete",
  ),
  mutant(
    "guard-keeps-entry",
    "a guard leaves the entry",
    guard,
    ["removeLocated(hash, home, extent >> at.extentSpaceShift);", ""],
    "guard-entry",
  ),
  mutant(
    "guard-keeps-loads",
    "a guard does not supersede the loads that have begun",
    guard,
    ["supersedeOthers(hash, guard);", ""],
    "guard-fill",
    "guard-load",
  ),
  mutant(
    "guards-of-two",
    "a guard does not see another one",
    flights,
    ["if (isGuard(flightAt(number))) supersede(guard, hash);", ""],
    "guard-guard",
  ),
  mutant(
    "fill-in-guard",
    "a load that nobody joins begins during a guarded write",
    flights,
    [
      "if (number < 0 || !isGuarded(hash)) return number;",
      "if (number < 0 || hash != 0) return number;",
    ],
    "guard-fill",
  ),
  mutant(
    "load-in-guard",
    "a load that others join begins during a guarded write",
    flights,
    ["if (isGuard(flight)) return fl.answerGuarded;", "if (isGuard(flight)) continue;"],
    "guard-load",
  ),
  mutant(
    "fill-looks-first",
    "a load looks for guards before it is in the table",
    flights,
    [
      "const number = claimFlight(hash, fl.flightFill, Infinity, space);\n  // A guard is claimed before it looks for flights, and this flight before it looks for guards: so\n  // at least one of the two sees the other.\n  if (number < 0 || !isGuarded(hash)) return number;",
      "const guarded = isGuarded(hash);\n  const number = claimFlight(hash, fl.flightFill, Infinity, space);\n  if (number < 0 || !guarded) return number;",
    ],
    "guard-fill",
  ),
];
