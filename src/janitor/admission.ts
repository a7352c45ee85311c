// Admission to disk: whether a record is worth a write. Asked by the flusher for each record, before anything is announced.
// What it refuses stays in memory and goes with it; an older copy on disk was marked dead when the record was published,
// so none can come back. Every refusal is counted by its reason.
import type { AdmissionConfig } from "../config/mod.js";
import { type Kernel, layout as at } from "../kernel/mod.js";
import { RecordHeader } from "../memory/mod.js";
import { flagDiskLocation } from "../record/mod.js";
import * as counter from "../stats/mod.js";
import { SeenKeys } from "./seen-keys.js";
import { WriteBudget } from "./write-budget.js";

/** "never": not in this record's life. "deferred": not now, but a flush that is asked for takes it. */
export type Verdict = "write" | "never" | "deferred";

export class Admission {
  readonly budget: WriteBudget;
  readonly #kernel: Kernel;
  readonly #header: RecordHeader;
  readonly #minTtlMs: number;
  readonly #seen: SeenKeys | null;

  constructor(kernel: Kernel, rules: AdmissionConfig) {
    this.#kernel = kernel;
    this.#header = new RecordHeader(kernel);
    this.#minTtlMs = rules.minTtlMs;
    this.budget = new WriteBudget(rules.bytesPerSecond, rules.bytesPerDay, performance.now());
    const { keyHistoryBase, seenBytes } = kernel.geometry;
    this.#seen =
      seenBytes === 0 ? null : new SeenKeys(kernel.views.u8.buffer, keyHistoryBase, seenBytes);
  }

  /** `isAsked`: a flush was asked for, which promises that everything before it is on disk. Then only what cannot be
   *  there is refused. `isKept`: the record was moved to the main log, since it was hit. */
  judge(record: number, now: number, isAsked: boolean, isKept: boolean): Verdict {
    const header = this.#header;
    // Reserved and given up: no entry.
    if (header.sequence(record) === 0) return "never";
    // The writer's filter or size has refused it, and counted that.
    if ((header.flags(record) & flagDiskLocation) === 0) return "never";
    if (header.diskLocation(record) !== 0)
      return this.#refuse(counter.counterRefusedClean, "never");
    const deadline = header.deadline(record);
    if (deadline <= now) return this.#refuse(counter.counterRefusedExpired, "never");
    if (isAsked) return "write";
    if (deadline < now + this.#minTtlMs) {
      return this.#refuse(counter.counterRefusedExpired, "deferred");
    }
    if (this.#seen !== null && !isKept && !this.#isSeen(this.#seen, record)) {
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
    const { u32 } = this.#kernel.views;
    const word = this.#kernel.block / 4;
    const low = u32[word + at.resultHashLow / 4] as number;
    const high = u32[word + at.resultHashHigh / 4] as number;
    const wasSet = seen.note(low, high);
    return wasSet || frequency !== 0;
  }

  #refuse(reason: number, verdict: Verdict): Verdict {
    this.#kernel.count(reason, 1);
    return verdict;
  }
}
