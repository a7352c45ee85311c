// What an actor does in namespace 1: the calls of actor.ts that take keys, over windows of their
// own. The history knows its keys by another name.

import type { KeyWindow } from "../../../src/kernel/mod.js";
import type { MemoryReader, MemoryWriter, WriteOutcome } from "../../../src/memory/mod.js";
import { valueOf, versionOf } from "./entry-value.js";
import type { Operation } from "./history.js";
import { alone, type Coroutine } from "./suspension.js";
import type { Stepped, SteppedThread } from "./thread.js";
import type { World } from "./world.js";

const space = 1;
const noTags = new Uint8Array(0);

type SteppedClass<Class> = new (...args: unknown[]) => Stepped<Class>;

export class NamedSpace {
  readonly #world: World;
  readonly #thread: SteppedThread;
  readonly #name: string;
  readonly #keys: Stepped<KeyWindow>;
  readonly #reader: Stepped<MemoryReader>;
  readonly #writer: Stepped<MemoryWriter>;

  /** `connected`: the actor's own writer's ways to write tombstones and to make room. */
  constructor(
    world: World,
    thread: SteppedThread,
    name: string,
    connected: readonly [writeTombstone: () => void, reclaim: () => boolean],
  ) {
    this.#world = world;
    this.#thread = thread;
    this.#name = name;
    const { kernel: kernelRoom, memory } = world.rooms;
    const { kernel } = thread;
    this.#keys = new (kernelRoom.KeyWindow as unknown as SteppedClass<KeyWindow>)(kernel, space);
    const Reader = memory.MemoryReader as unknown as SteppedClass<MemoryReader>;
    const Writer = memory.MemoryWriter as unknown as SteppedClass<MemoryWriter>;
    this.#reader = new Reader(kernel, this.#keys);
    this.#writer = new Writer(kernel, this.#keys);
    alone(this.#writer.connect(...connected));
  }

  #begin(kind: Operation["kind"], key: string, version: number): Operation {
    return this.#world.history.begin(kind, `${space}:${key}`, version, this.#name);
  }

  *#write(key: unknown, name: string, version: number, flight: number): Coroutine<WriteOutcome> {
    const fields = {
      codecId: 0,
      flags: 0,
      createdMs: 1000,
      expiresMs: Infinity,
      staleUntilMs: Infinity,
      tags: noTags,
      flight,
      forDisk: true,
    };
    return yield* this.#writer.write(key as string, valueOf(name, version), fields);
  }

  *set(key: string): Coroutine {
    const version = this.#world.history.nextVersion();
    const operation = this.#begin("set", key, version);
    const outcome = yield* this.#write(key, key, version, -1);
    if (outcome !== "stored") operation.kind = "removal";
    this.#world.history.end(operation);
  }

  *get(key: string): Coroutine {
    const operation = this.#begin("read", key, 0);
    if ((yield* this.#reader.find(key, true)) === "memory") {
      const { record } = this.#reader;
      if (record.key() !== key || record.space !== space) {
        throw new Error(`"${key}" of a namespace was read as another's record`);
      }
      const value = record.buffer.subarray(record.valueStart, record.valueEnd);
      operation.version = versionOf(key, value);
    }
    this.#world.history.end(operation);
  }

  *clear(keys: readonly string[]): Coroutine {
    const operations = keys.map((key) => this.#begin("removal", key, 0));
    yield* this.#thread.verbs.clearSpace(space);
    for (const operation of operations) this.#world.history.end(operation);
  }

  /** A load that nobody joins. */
  *fill(key: string): Coroutine {
    const version = this.#world.history.nextVersion();
    const begin = this.#begin("begin", key, version);
    yield* this.#keys.write(key);
    const hashed = yield* this.#keys.take(key);
    const { verbs } = this.#thread;
    const flight = yield* verbs.beginFlight(hashed.hashLow, hashed.hashHigh, space);
    this.#world.history.end(begin);
    const operation = this.#begin("fill", key, version);
    const outcome = flight < 0 ? "superseded" : yield* this.#write(hashed, key, version, flight);
    if (outcome !== "stored") begin.counts = false;
    if (outcome === "superseded") operation.counts = false;
    else if (outcome !== "stored") operation.kind = "removal";
    this.#world.history.end(operation);
    const { flightStored, flightUnstored } = this.#world.at;
    const end = outcome === "stored" ? flightStored : flightUnstored;
    if (flight >= 0) yield* verbs.endFlight(flight, end, 0);
  }
}
