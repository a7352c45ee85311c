// One thread of the stress: a writer, a reader, a janitor or a holder of locks over one shared
// memory. Plain JavaScript, because a worker cannot load TypeScript. A value describes itself: key
// number, version, and a pattern made from both.
import { parentPort, workerData } from "node:worker_threads";

import * as at from "../../dist/src/kernel/layout.js";
import { Kernel } from "../../dist/src/kernel/mod.js";

const { module, memory, role, roleCount, mutant, keyCount, readsWanted, floors, control } =
  workerData;
const kernel = Kernel.attach(module, memory);
const { verbs, views, geometry } = kernel;
const { u8, u32, f64 } = views;
const result = kernel.block / 4;
const floor = new Int32Array(floors);
const stop = new Int32Array(control);
const napWord = new Int32Array(new SharedArrayBuffer(4));
const keys = Array.from({ length: keyCount }, (_, number) => Buffer.from(`key:${number}`));
const headerSize = 24;

const isStopped = () => Atomics.load(stop, 0) === 1;
const nap = (ms) => Atomics.wait(napWord, 0, 0, ms);

let state = 88172645463325252n;
/** xorshift64: every thread draws its own numbers. */
function random(below) {
  state ^= BigInt.asUintN(64, state << 13n);
  state ^= state >> 7n;
  state ^= BigInt.asUintN(64, state << 17n);
  return Number(state % BigInt(below));
}
for (let turn = 0; turn < kernel.thread * 13; turn++) random(2);

/** Writes a key to this thread's scratch. */
function keyAt(number) {
  const key = keys[number];
  const place = kernel.block + at.threadKeyScratch;
  for (let byte = 0; byte < key.length; byte++) u8[place + byte] = key[byte];
  return place;
}

const fillOf = (number, version) => (number * 31 + version * 17) & 255;
const lengthOf = (number, version) => (number * 7 + version * 13) % 500;

function write(number, version) {
  const key = keys[number];
  const length = lengthOf(number, version);
  const record = verbs.reserve(headerSize + key.length + 8 + length, at.logSmall, 0) >>> 0;
  if (record === 0) return false;
  u8.set(key, record + headerSize);
  const value = record + headerSize + key.length;
  u8[value] = number & 255;
  u8[value + 1] = number >> 8;
  for (let byte = 0; byte < 4; byte++) u8[value + 4 + byte] = (version >> (8 * byte)) & 255;
  u8.fill(fillOf(number, version), value + 8, value + 8 + length);
  return verbs.publish(record, key.length, 0, 0, 0, 0, 0, 0, 0) === at.answerDone;
}

/** Removes a key, with its lock or, if the lock cannot be had, without; returns 1 in that case. */
function drop(number) {
  const { length } = keys[number];
  if (verbs.remove(keyAt(number), length, 0, 0) !== at.answerBusy) return 0;
  while (verbs.evictUnlocked(keyAt(number), length) === at.answerDone);
  return 1;
}

/** Raises a key's floor after each write has returned: from then on no reader may see less. */
function runWriter() {
  const versions = new Int32Array(keyCount);
  const counts = { writes: 0, deletes: 0, clears: 0, full: 0, stuck: 0 };
  for (let turn = 1; !isStopped(); turn++) {
    const number = Math.min(random(keyCount), random(keyCount));
    if (turn % 30_000 === 0) {
      verbs.clear();
      for (let key = 0; key < keyCount; key++) Atomics.store(floor, key, versions[key] + 1);
      counts.clears += 1;
    } else if (turn % 16 === 0) {
      counts.stuck += drop(number);
      Atomics.store(floor, number, versions[number] + 1);
      counts.deletes += 1;
    } else {
      versions[number] += 1;
      if (write(number, versions[number])) {
        Atomics.store(floor, number, versions[number]);
        counts.writes += 1;
      } else {
        // No room, or no lock: the older value must be removed all the same.
        counts.full += 1;
        counts.stuck += drop(number);
        Atomics.store(floor, number, versions[number] + 1);
        nap(1);
      }
    }
  }
  return counts;
}

/** What a copied record says of itself: undefined if it is what was asked for. */
function faultOf(copy, size, number, least) {
  const value = headerSize + keys[number].length;
  if (Buffer.compare(copy.subarray(headerSize, value), keys[number]) !== 0) return "wrong";
  if ((copy[value] | (copy[value + 1] << 8)) !== number) return "wrong";
  const version = copy.readInt32LE(value + 4);
  if (size !== value + 8 + lengthOf(number, version)) return "torn";
  const fill = fillOf(number, version);
  for (let byte = value + 8; byte < size; byte++) if (copy[byte] !== fill) return "torn";
  return version < least ? "old" : undefined;
}

function runReader() {
  const counts = { reads: 0, hits: 0, changed: 0, wrong: 0, torn: 0, old: 0 };
  const copy = Buffer.alloc(4096);
  for (; counts.reads < readsWanted; counts.reads++) {
    const number = random(keyCount);
    const least = Atomics.load(floor, number);
    const slot = verbs.find(keyAt(number), keys[number].length, 0, 0, 1);
    if (slot < 0) continue;
    const low = u32[result + at.resultSlotLow / 4];
    const high = u32[result + at.resultSlotHigh / 4];
    const record = u32[result + at.resultRecord / 4];
    const size = u32[result + at.resultRecordSize / 4];
    // Sometimes the thread pauses in the middle of the copy, long enough for the log to wrap.
    const held = counts.reads % 512 === 0 ? Math.floor(size / 2) : -1;
    for (let byte = 0; byte < size; byte++) {
      if (byte === held) nap(3);
      copy[byte] = u8[record + byte];
    }
    if (mutant !== "no-validate" && verbs.validate(slot, low, high) !== 1) {
      counts.changed += 1;
      continue;
    }
    counts.hits += 1;
    const fault = faultOf(copy, size, number, least);
    if (fault === undefined) continue;
    counts[fault] += 1;
    if (mutant !== null) break;
  }
  Atomics.store(stop, 0, 1);
  return counts;
}

const segmentWord = (segment, field) =>
  (at.segmentTable + segment * at.segmentEntrySize + field) / 4;

function oldestSealed() {
  let oldest = -1;
  let order = Infinity;
  for (let segment = 0; segment < geometry.segmentCount; segment++) {
    if (Atomics.load(views.i32, segmentWord(segment, at.segmentState)) !== at.segmentSealed)
      continue;
    const sealed = f64[segmentWord(segment, at.segmentSealOrder) / 2];
    if (sealed < order) [oldest, order] = [segment, sealed];
  }
  return oldest;
}

/** Empties and frees the oldest segment: every slot first, then the generation, then the state. */
function evict(segment) {
  if (verbs.claimSegment(segment) !== 1) return;
  const base = geometry.segmentBase + segment * geometry.segmentBytes;
  const end = base + u32[segmentWord(segment, at.segmentWriteOffset)];
  if (mutant === "free-first") verbs.freeSegment(segment);
  for (let record = base; record < end;) {
    const size = u32[record / 4];
    if (mutant !== "free-first") {
      if (verbs.frequencyOfRecord(record) > 1) verbs.move(record, at.logMain, 0);
      else verbs.dropRecord(record);
    }
    record += (size + 7) & ~7;
    if (size === 0) break;
  }
  if (mutant !== "free-first") verbs.freeSegment(segment);
}

function runJanitor() {
  let evicted = 0;
  while (!isStopped()) {
    if (verbs.freeSegments(6) > 5) {
      nap(0.1);
      continue;
    }
    const segment = oldestSealed();
    if (segment < 0) continue;
    evict(segment);
    evicted += 1;
    verbs.sweep(0, 64, 0);
  }
  return { evicted };
}

/** Holds one lock after another of the keys written most, longer than any thread waits for one. */
function runHolder() {
  const lockWord = (kernel.thread + 1) | (u32[(kernel.block + at.threadIncarnation) / 4] << 8);
  let held = 0;
  while (!isStopped()) {
    const number = random(8);
    verbs.hashKey(keyAt(number), keys[number].length);
    const hash = BigInt(u32[result + at.resultHashHigh / 4]);
    const bucket = Number((hash * BigInt(geometry.bucketCount)) >> 32n);
    const lock = (geometry.bucketBase + bucket * at.bucketSize) / 4;
    if (Atomics.compareExchange(views.i32, lock, 0, lockWord) !== 0) continue;
    nap(120);
    Atomics.store(views.i32, lock, 0);
    nap(5);
    held += 1;
  }
  return { held };
}

/** All begin together: a reader that is alone meets no race and has soon read enough. */
function awaitAll() {
  let begun = Atomics.add(stop, 1, 1) + 1;
  Atomics.notify(stop, 1);
  for (; begun < roleCount && !isStopped(); begun = Atomics.load(stop, 1)) {
    Atomics.wait(stop, 1, begun);
  }
}

awaitAll();
const run = { writer: runWriter, reader: runReader, janitor: runJanitor, holder: runHolder }[role];
parentPort.postMessage(run());
