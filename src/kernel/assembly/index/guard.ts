// The guard of a write to the source: from its begin to its end the key has no entry, and no load
// of it is stored. Called by `write` (fetch/writes/guarded-write.ts). A guard is a flight of the
// flight table. It begins under the key's home lock: it is claimed, the entry leaves, and every
// other flight of the key is superseded. A load that begins later finds the guard (enterFlight,
// beginFlight). Two guards of a key at once supersede each other, so the answer of neither is
// stored. If the thread dies, its recovery ends the guard like any flight.
import * as fl from "../../flight-layout";
import * as at from "../../layout";
import { claimFlight, supersedeOthers } from "../flights";
import { bucketAt, locate, lock, unlock } from "./bucket";
import { clearResults, removeLocated } from "./entries";
import { hashOf } from "./lookup";
import { fingerprintOf, homeOf } from "./slot";

/** Begins a guard and removes the key. Answers the guard's flight; answerFull or answerBusy, with
 *  nothing changed. Results: those of remove. */
export function beginGuard(key: u32, extent: u32, hashLow: u32, hashHigh: u32): i32 {
  const hash = hashOf(key, extent, hashLow, hashHigh);
  clearResults();
  const home = homeOf(hash);
  if (!lock(bucketAt(home))) return at.answerBusy;
  // The guard first: whoever begins a load from here on sees it.
  const guard = claimFlight(hash, fl.flightGuard, Infinity, extent >> at.extentSpaceShift);
  if (guard >= 0) {
    locate(home, fingerprintOf(hash), key, extent);
    removeLocated(hash, home, extent >> at.extentSpaceShift);
    supersedeOthers(hash, guard);
  }
  unlock(bucketAt(home));
  return guard;
}
