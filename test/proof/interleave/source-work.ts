// What threads of a scenario do with writes that depend on what is there: updates, writes with a
// revision, and guarded writes with loads of a source. The real memory writer and kernel do the
// work; the loops around them are after EntryUpdater, ordered-writes.ts and guarded-write.ts.
// Called by ordered-scenarios.ts.

import type { HashedKey } from "../../../src/kernel/mod.js";
import type { WriteFields } from "../../../src/memory/mod.js";
import { codecNegative } from "../../../src/record/codec-id.js";
import { flagDeletion } from "../../../src/record/record-layout.js";
import type { Actor } from "./actor.js";
import { valueOf } from "./entry-value.js";
import { type Coroutine, pause } from "./suspension.js";

/** Replaces the value in memory by one made of it; does nothing if there is none. */
export function* update(actor: Actor, key: string): Coroutine {
  const { at, reader, writer, world } = actor;
  const version = world.history.nextVersion();
  const operation = actor.begin("update", key, version);
  for (;;) {
    operation.counts = (yield* reader.find(key, true)) === "memory";
    if (!operation.counts) break;
    const condition = { kind: at.conditionSequence, wanted: reader.record.sequence };
    operation.seen = actor.versionRead(key);
    const fields = { ...actor.fields(-1), condition };
    const outcome = yield* writer.write(key, valueOf(key, version), fields);
    if (outcome === "changed") continue;
    // Where the lock could not be had the entry is gone, or another update was faster: a miss, or
    // nothing at all.
    operation.counts = outcome === "stored";
    break;
  }
  world.history.end(operation);
}

/** Removes the value in memory if it is the one that was seen. */
export function* updateToNothing(actor: Actor, key: string): Coroutine {
  const { at, reader, writer, world } = actor;
  const operation = actor.begin("update", key, 0);
  for (;;) {
    operation.counts = (yield* reader.find(key, true)) === "memory";
    if (!operation.counts) break;
    const condition = { kind: at.conditionSequence, wanted: reader.record.sequence };
    operation.seen = actor.versionRead(key);
    const { unlocked } = actor.thread;
    if ((yield* writer.removeIf(key, condition)) !== "removed") continue;
    // Without the lock it removes whatever is there.
    if (actor.thread.unlocked > unlocked) operation.kind = "removal";
    break;
  }
  world.history.end(operation);
}

function* writeInOrder(
  actor: Actor,
  key: string,
  revision: number,
  isDelete: boolean,
  fields: Partial<WriteFields>,
): Coroutine {
  const { at, world } = actor;
  const version = world.history.nextVersion();
  const operation = actor.begin("set", key, version);
  operation.revision = revision;
  operation.isDelete = isDelete;
  const condition = { kind: at.conditionRevision, wanted: revision };
  const all = { ...actor.fields(-1), revision, condition, ...fields };
  const value = isDelete ? new Uint8Array(0) : valueOf(key, version);
  const outcome = yield* actor.writer.write(key, value, all);
  if (outcome === "outdated") operation.kind = "outdated";
  else if (outcome === "overloaded") {
    // Without the lock it removes whatever is there.
    operation.kind = "removal";
    delete operation.revision;
  } else if (outcome !== "stored") throw new Error(`a write in a roomy memory was ${outcome}`);
  world.history.end(operation);
}

export function setInOrder(actor: Actor, key: string, revision: number): Coroutine {
  return writeInOrder(actor, key, revision, false, {});
}

export function deleteInOrder(actor: Actor, key: string, revision: number): Coroutine {
  const flags = flagDeletion;
  return writeInOrder(actor, key, revision, true, {
    codecId: codecNegative,
    flags,
    forDisk: false,
  });
}

/** What a cache is of: one row, whose states are counted. Made anew for each schedule. */
export class Source {
  /** The states so far; each commit makes one. */
  #states = 0;
  /** The state that a version of the cache holds. */
  readonly #stateOf = new Map<number, number>();

  /** A version that is there from the beginning. */
  note(version: number): void {
    this.#stateOf.set(version, this.#states);
  }

  /** What a loader does: reads the source, and takes its time. */
  read(): (version: number) => Coroutine {
    const states = this.#stateOf;
    const now = (): number => this.#states;
    return function* (version) {
      yield* pause();
      states.set(version, now());
      yield* pause();
    };
  }

  /** What a writer does: makes a new state, which `version` is of. */
  *commit(version: number): Coroutine {
    yield* pause();
    this.#states += 1;
    this.#stateOf.set(version, this.#states);
    yield* pause();
  }

  /** A get that must not find an older state than the source had when it began. */
  *get(actor: Actor, key: string): Coroutine {
    const floor = this.#states;
    const version = yield* actor.getVersion(key);
    const state = this.#stateOf.get(version) ?? Infinity;
    if (state >= floor) return;
    throw new Error(`"${key}" was read as state ${state}; the source had state ${floor}`);
  }

  /** A guarded write. */
  *write(actor: Actor, key: string): Coroutine {
    const { at, verbs, world, writer } = actor;
    const removal = actor.begin("removal", key, 0);
    const hashed: HashedKey = yield* actor.hashed(key);
    // As the queue of flights, it tries again if the lock could not be had.
    let guard = yield* writer.beginGuard(hashed);
    while (guard < 0) guard = yield* writer.beginGuard(hashed);
    world.history.end(removal);
    const version = world.history.nextVersion();
    yield* this.commit(version);
    const operation = actor.begin("set", key, version);
    const outcome = yield* writer.write(hashed, valueOf(key, version), actor.fields(guard));
    if (outcome !== "stored") {
      operation.kind = "removal";
      yield* writer.remove(hashed);
    }
    world.history.end(operation);
    yield* verbs.endFlight(guard, at.flightAgain, 0);
  }
}
