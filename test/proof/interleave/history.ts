// What the threads of one schedule did and saw, and whether one order explains it. The register of
// each key must be linearizable (Herlihy and Wing 1990; the search is Wing and Gong's), with two
// allowances: a read may miss, and a thread that died may or may not have done its last operation.
// A fill is allowed only if nothing changed the key between its beginning and its publication.
// Called by the scenarios through actor.ts.

export type OperationKind =
  "set" | "update" | "outdated" | "fill" | "lost" | "removal" | "begin" | "forced" | "read";

/** One operation on one key. Moments count the events of a schedule; `to` is Infinity until it has
 *  returned. */
export interface Operation {
  readonly key: string;
  kind: OperationKind;
  /** What it wrote or read; 0 = nothing. For `begin`, `forced` and `fill` it pairs the two. */
  version: number;
  readonly thread: string;
  readonly from: number;
  to: number;
  /** False: it failed and changed nothing. */
  counts: boolean;
  /** Of an update: the version that it made its own of. */
  seen?: number;
  /** Of a write with one. A delete with one is a set of a version that no read finds. */
  revision?: number;
  isDelete?: boolean;
}

export class History {
  operations: Operation[] = [];
  #kept = 0;
  #versions = 0;
  #keptVersions = 0;
  #moment = 0;

  /** The operations so far belong to every schedule. */
  keep(): void {
    this.#kept = this.operations.length;
    this.#keptVersions = this.#versions;
  }

  reset(): void {
    this.operations.length = this.#kept;
    this.#versions = this.#keptVersions;
    this.#moment = this.#kept * 2;
  }

  nextVersion(): number {
    return ++this.#versions;
  }

  begin(kind: OperationKind, key: string, version: number, thread: string): Operation {
    const from = this.#moment++;
    const operation = { key, kind, version, thread, from, to: Infinity, counts: true };
    this.operations.push(operation);
    return operation;
  }

  end(operation: Operation): void {
    operation.to = this.#moment++;
  }

  /** The first key whose operations no order explains, in words; undefined if there is none. */
  fault(): string | undefined {
    const keys = new Set(this.operations.map(({ key }) => key));
    for (const key of keys) {
      const fault = this.faultOf(key);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  /** As `fault`, for one key, with one more read of `seen` after everything that has returned. */
  faultOf(key: string, seen?: number): string | undefined {
    const operations = this.operations.filter(
      (operation) =>
        operation.key === key &&
        operation.counts &&
        !(operation.kind === "read" && (operation.version === 0 || operation.to === Infinity)),
    );
    if (seen !== undefined && seen !== 0) {
      const from = this.#moment;
      const last = { key, kind: "read" as const, version: seen, thread: "reopened", from };
      operations.push({ ...last, to: from + 1, counts: true });
    }
    if (operations.every(({ kind }) => kind !== "read")) return undefined;
    if (new Search(operations).succeeds()) return undefined;
    const steps = describe(operations);
    return `no order of the operations on "${key}" explains what was read:\n${steps}`;
  }
}

/** Looks for an order of the operations that keeps to their times and in which each read sees the
 *  last write. */
class Search {
  readonly #operations: readonly Operation[];
  readonly #tried = new Set<string>();
  readonly #needed: number;
  /** The writes with a revision, by their version. */
  readonly #ordered = new Map<number, Operation>();

  constructor(operations: readonly Operation[]) {
    this.#operations = operations;
    let needed = 0;
    for (const [index, operation] of operations.entries()) {
      if (operation.to !== Infinity) needed |= 1 << index;
      if (operation.revision !== undefined) this.#ordered.set(operation.version, operation);
    }
    this.#needed = needed;
  }

  succeeds(): boolean {
    return this.#from(0, 0, 0);
  }

  /** Whether the write that is there is newer than another one. */
  #isNewer(value: number, { revision, isDelete }: Operation): boolean {
    const there = this.#ordered.get(value);
    if (there?.revision === undefined || revision === undefined) return false;
    if (there.revision !== revision) return there.revision > revision;
    return there.isDelete === true && isDelete !== true;
  }

  /** `fresh`: begun fills with no change of the key since, as bits. */
  #from(done: number, value: number, fresh: number): boolean {
    if ((done & this.#needed) === this.#needed) return true;
    const state = `${done}.${value}.${fresh}`;
    if (this.#tried.has(state)) return false;
    this.#tried.add(state);
    const operations = this.#operations;
    let horizon = Infinity;
    for (let index = 0; index < operations.length; index++) {
      if ((done & (1 << index)) === 0)
        horizon = Math.min(horizon, (operations[index] as Operation).to);
    }
    for (let index = 0; index < operations.length; index++) {
      const bit = 1 << index;
      const operation = operations[index] as Operation;
      const { kind, version, from } = operation;
      // An operation that has no position yet returned before this one began.
      if ((done & bit) !== 0 || from > horizon) continue;
      if (kind === "read") {
        if (version === value && this.#from(done | bit, value, fresh)) return true;
      } else if (kind === "update") {
        if (operation.seen === value && this.#from(done | bit, version, 0)) return true;
      } else if (kind === "outdated") {
        if (this.#isNewer(value, operation) && this.#from(done | bit, value, fresh)) return true;
      } else if (kind === "set" && this.#isNewer(value, operation)) {
        // It would have been refused.
      } else if (kind === "begin") {
        if (this.#from(done | bit, value, fresh | (1 << version))) return true;
      } else if (kind === "forced") {
        // The begin of a forced load: what loads bring that began before is not stored.
        if (this.#from(done | bit, value, 1 << version)) return true;
      } else if (kind === "lost") {
        // A forced load that was superseded: the key has changed, or another forced one has begun.
        const isFresh = (fresh & (1 << version)) !== 0;
        if (!isFresh && this.#from(done | bit, value, fresh)) return true;
      } else if (kind === "fill") {
        const isFresh = (fresh & (1 << version)) !== 0;
        if (isFresh && this.#from(done | bit, version, 0)) return true;
      } else if (this.#from(done | bit, kind === "set" ? version : 0, 0)) return true;
    }
    return false;
  }
}

function describe(operations: readonly Operation[]): string {
  return operations
    .map(({ thread, kind, version, from, to }) => {
      const span = `[${from}, ${to === Infinity ? "never" : to}]`;
      const seen = version === 0 ? "nothing" : `v${version}`;
      return `  ${span.padEnd(12)} ${thread.padEnd(10)} ${kind} ${seen}`;
    })
    .join("\n");
}
