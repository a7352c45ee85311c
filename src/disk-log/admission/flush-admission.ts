// Admission to disk: is a record worth a write? The flusher asks for each record before it
// announces anything. A refused record stays in memory and leaves the cache with its segment. An
// older copy on disk got its tombstone when the record was published, so it cannot come back. A
// value in chunks is admitted or refused whole, by its head: its parts get one verdict, and one
// refusal is counted. Every refusal is counted by its reason.
import { elapsedMs } from "../../base/mod.js";
import type { AdmissionConfig } from "../../config/mod.js";
import { codes, type Kernel } from "../../kernel/mod.js";
import { isSpilled } from "../../memory/mod.js";
import { flagDiskLocation, isChunk, isHead, isInternal } from "../../record/mod.js";
import * as counter from "../../stats/mod.js";
import { SeenKeys } from "./seen-keys.js";
import { WriteBudget } from "./write-budget.js";

/** "never": not while this record exists. "deferred": not now, but a requested flush writes it.
 *  "unfinished": a chunk whose value is being written; a later flush looks again. "busy": a key's
 *  lock could not be had. */
export type Verdict = "write" | "never" | "deferred" | "unfinished" | "busy";

/** Values whose verdict is remembered for the chunks that follow. A forgotten one is judged
 *  again. */
const verdictsMax = 256;

/** Whom a verdict is about: the hash of the key, and what the policy knows. */
interface Subject {
  readonly hashLow: number;
  readonly hashHigh: number;
  /** Whether it was hit, or is in the main log because it was. */
  readonly wasHit: boolean;
}

export class FlushAdmission {
  readonly budget: WriteBudget;
  readonly #kernel: Kernel;
  readonly #minTtlMs: number;
  readonly #seen: SeenKeys | null;
  /** Verdicts on values in chunks, by id and log, oldest first. */
  readonly #verdicts = new Map<string, Verdict>();

  constructor(kernel: Kernel, rules: AdmissionConfig) {
    this.#kernel = kernel;
    this.#minTtlMs = rules.minTtlMs;
    this.budget = new WriteBudget(rules.bytesPerSecond, rules.bytesPerDay, elapsedMs());
    const { buffer, offset, bytes } = kernel.seenKeysRoom;
    this.#seen = bytes === 0 ? null : new SeenKeys(buffer, offset, bytes);
  }

  /** `isAsked`: a flush was requested, which promises that everything before it is on disk; only
   *  what cannot be written is refused. `isInMain`: the record is in the main log, because it was
   *  hit. */
  judge(record: number, now: number, isAsked: boolean, isInMain: boolean): Verdict {
    const { records } = this.#kernel;
    // Reserved and never published: no entry.
    if (records.sequence(record) === 0) return "never";
    const flags = records.flags(record);
    // Refused, and counted, by the writer: the filter or the size limit.
    if ((flags & flagDiskLocation) === 0) return "never";
    const isEntry = !isInternal(flags);
    if (records.diskLocation(record) !== 0) {
      return this.#refuse(counter.counterRefusedClean, "never", isEntry);
    }
    const deadline = records.deadline(record);
    if (deadline <= now) return this.#refuse(counter.counterRefusedExpired, "never", isEntry);
    if (isHead(flags) || isChunk(flags)) return this.#judgePart(record, deadline, now, isAsked);
    if (isAsked) return "write";
    if (deadline < now + this.#minTtlMs) {
      return this.#refuse(counter.counterRefusedExpired, "deferred", isEntry);
    }
    const seen = this.#seen;
    if (seen !== null && !isInMain && !this.#isSeen(seen, this.#subjectOf(record))) {
      return this.#refuse(counter.counterRefusedUnseen, "deferred", isEntry);
    }
    return this.#hasRoom();
  }

  /** A head or chunk: the verdict on its value. */
  #judgePart(record: number, deadline: number, now: number, isAsked: boolean): Verdict {
    const { verbs, value } = this.#kernel;
    const found = verbs.findHead(record);
    if (found === codes.answerBusy) return "busy";
    if (found === codes.answerWriting) return "unfinished";
    // Memory cannot keep it until it is whole: whatever the rules say, it is owed.
    if (found === codes.answerSpilling) return "write";
    if (found === codes.answerAbsent) return "never";
    // The head may be on disk: a chunk that has lost its copy there is written again.
    if (isAsked || found === codes.answerDisk) return "write";
    if (isSpilled(this.#kernel, value.bytes)) return "write";
    const isInMain = value.log === codes.logMain;
    const name = `${value.idLow}:${value.idHigh}:${isInMain}`;
    let verdict = this.#verdicts.get(name);
    if (verdict !== undefined) return verdict;
    verdict = this.#judgeValue(deadline, now, isInMain);
    this.#verdicts.set(name, verdict);
    for (const oldest of this.#verdicts.keys()) {
      if (this.#verdicts.size <= verdictsMax) break;
      this.#verdicts.delete(oldest);
    }
    return verdict;
  }

  #judgeValue(deadline: number, now: number, isInMain: boolean): Verdict {
    if (deadline < now + this.#minTtlMs) {
      return this.#refuse(counter.counterRefusedExpired, "deferred", true);
    }
    const { hashLow, hashHigh, frequency } = this.#kernel.value;
    const subject = { hashLow, hashHigh, wasHit: frequency > 0 };
    if (this.#seen !== null && !isInMain && !this.#isSeen(this.#seen, subject)) {
      return this.#refuse(counter.counterRefusedUnseen, "deferred", true);
    }
    return this.#hasRoom();
  }

  #hasRoom(): Verdict {
    if (this.budget.hasRoom(elapsedMs())) return "write";
    return this.#refuse(counter.counterRefusedBudget, "deferred", true);
  }

  /** A dead record counts as hit. The flusher counts it when it reserves the disk location. */
  #subjectOf(record: number): Subject {
    const wasHit = this.#kernel.verbs.frequencyOfRecord(record) !== 0;
    const { hashLow, hashHigh } = this.#kernel.results;
    return { hashLow, hashHigh, wasHit };
  }

  #isSeen(seen: SeenKeys, { hashLow, hashHigh, wasHit }: Subject): boolean {
    return seen.note(hashLow, hashHigh) || wasHit;
  }

  #refuse(reason: number, verdict: Verdict, isCounted: boolean): Verdict {
    if (isCounted) this.#kernel.count(reason, 1);
    return verdict;
  }
}
