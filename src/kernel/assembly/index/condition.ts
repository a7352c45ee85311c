// Whether a conditional write may be made: `update` depends on the record that its caller saw, and
// a write with a revision on the revision that is there. Called by publish and remove under the
// home lock, after `locate`. A record's sequence is no other record's over the whole existence of a
// cache, and stays when the record moves: so it tells a changed entry from one that only moved.
import * as at from "../../layout";
import { deadlineOf, isValueless, revisionOf, sequenceOf } from "../segments/record";
import { isTagInvalidated } from "../tags/tagged-records";
import { located, locatedWord } from "./bucket";
import { isCleared } from "./counts";
import { isDisk, recordOf } from "./slot";

/** answerDone if the write may be made. `space` is its key's; `isRemoval`: it leaves no value;
 *  `now` is its wall-clock ms. */
export function judgeWrite(
  space: u32,
  condition: u32,
  wanted: f64,
  isRemoval: bool,
  now: f64,
): i32 {
  const word: u64 = located == 0 ? 0 : locatedWord;
  // A record without a sequence is a dead thread's fill, which nobody has seen: it counts as
  // cleared.
  const isThere = word != 0 && !isCleared(word, space);
  if (!isThere || (!isDisk(word) && isTagInvalidated(recordOf(word)))) {
    return needsRecord(condition, wanted) ? at.answerChanged : at.answerDone;
  }
  // What is on disk only cannot be judged here: the caller brings it to memory first.
  if (isDisk(word)) return at.answerChanged;
  const record = <usize>recordOf(word);
  if (condition == at.conditionSequence) {
    return <f64>sequenceOf(record) == wanted ? at.answerDone : at.answerChanged;
  }
  return isNewer(record, wanted, isRemoval, now) ? at.answerOutdated : at.answerDone;
}

/** Whether the write may only replace the record that its caller saw. publish asks again when it
 *  finds the slot empty: evictUnlocked may have emptied it, without the lock, since judgeWrite. */
export function needsRecord(condition: u32, wanted: f64): bool {
  return condition == at.conditionSequence && wanted != 0;
}

/** Whether a record that may still be served, fresh or stale, has a newer revision. At the same
 *  revision a delete is the newer one, and a value is stored again. */
function isNewer(record: usize, revision: f64, isRemoval: bool, now: f64): bool {
  const deadline = deadlineOf(record);
  if (deadline != 0 && deadline <= now) return false;
  const found = revisionOf(record);
  if (found == revision) return !isRemoval && isValueless(record);
  return found > revision;
}
