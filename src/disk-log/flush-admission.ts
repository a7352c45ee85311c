// Admission to disk: is a record worth a write? The flusher asks for each record before it
// announces anything. A refused record stays in memory and leaves the cache with its segment. An
// older copy on disk got its tombstone when the record was published, so it cannot come back. Every
// refusal is counted by its reason.
import { elapsedMs } from "../base/mod.js";
import type { AdmissionConfig } from "../config/mod.js";
import type { Kernel } from "../kernel/mod.js";
import { flagDiskLocation } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import { SeenKeys } from "./seen-keys.js";
import { WriteBudget } from "./write-budget.js";

/** "never": not while this record exists. "deferred": not now, but a requested flush writes it. */
export type Verdict = "write" | "never" | "deferred";

export class FlushAdmission {
  readonly budget: WriteBudget;
  readonly #kernel: Kernel;
  readonly #minTtlMs: number;
  readonly #seen: SeenKeys | null;

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
    // Refused, and counted, by the writer: the filter or the size limit.
    if ((records.flags(record) & flagDiskLocation) === 0) return "never";
    if (records.diskLocation(record) !== 0)
      return this.#refuse(counter.counterRefusedClean, "never");
    const deadline = records.deadline(record);
    if (deadline <= now) return this.#refuse(counter.counterRefusedExpired, "never");
    if (isAsked) return "write";
    if (deadline < now + this.#minTtlMs) {
      return this.#refuse(counter.counterRefusedExpired, "deferred");
    }
    if (this.#seen !== null && !isInMain && !this.#isSeen(this.#seen, record)) {
      return this.#refuse(counter.counterRefusedUnseen, "deferred");
    }
    if (!this.budget.hasRoom(elapsedMs())) {
      return this.#refuse(counter.counterRefusedBudget, "deferred");
    }
    return "write";
  }

  /** A dead record counts as seen. The flusher counts it when it reserves the disk location. */
  #isSeen(seen: SeenKeys, record: number): boolean {
    const frequency = this.#kernel.verbs.frequencyOfRecord(record);
    const { hashLow, hashHigh } = this.#kernel.results;
    const wasSet = seen.note(hashLow, hashHigh);
    return wasSet || frequency !== 0;
  }

  #refuse(reason: number, verdict: Verdict): Verdict {
    this.#kernel.count(reason, 1);
    return verdict;
  }
}
