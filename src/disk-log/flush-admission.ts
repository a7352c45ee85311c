// Admission to disk: whether a record is worth a write. Asked by the flusher for each record, before anything is announced.
// What it refuses stays in memory and goes with it; an older copy on disk was marked dead when the record was published,
// so none can come back. Every refusal is counted by its reason.
import type { AdmissionConfig } from "../config/mod.js";
import type { Kernel } from "../kernel/mod.js";
import { flagDiskLocation } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import { SeenKeys } from "./seen-keys.js";
import { WriteBudget } from "./write-budget.js";

/** "never": not in this record's life. "deferred": not now, but a flush that is asked for takes it. */
export type Verdict = "write" | "never" | "deferred";

export class FlushAdmission {
  readonly budget: WriteBudget;
  readonly #kernel: Kernel;
  readonly #minTtlMs: number;
  readonly #seen: SeenKeys | null;

  constructor(kernel: Kernel, rules: AdmissionConfig) {
    this.#kernel = kernel;
    this.#minTtlMs = rules.minTtlMs;
    this.budget = new WriteBudget(rules.bytesPerSecond, rules.bytesPerDay, performance.now());
    const { buffer, offset, bytes } = kernel.seenKeysRoom;
    this.#seen = bytes === 0 ? null : new SeenKeys(buffer, offset, bytes);
  }

  /** `isAsked`: a flush was asked for, which promises that everything before it is on disk. Then only what cannot be
   *  there is refused. `isInMain`: the record was moved to the main log, since it was hit. */
  judge(record: number, now: number, isAsked: boolean, isInMain: boolean): Verdict {
    const { records } = this.#kernel;
    // Reserved and given up: no entry.
    if (records.sequence(record) === 0) return "never";
    // The writer's filter or size has refused it, and counted that.
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
    if (!this.budget.hasRoom(performance.now())) {
      return this.#refuse(counter.counterRefusedBudget, "deferred");
    }
    return "write";
  }

  /** A dead record counts as seen: that it is dead is found out, and counted, when its place is announced. */
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
