import { describe, expect, test } from "vitest";

import * as fl from "../../dist/src/kernel/flight-layout.js";
import * as at from "../../dist/src/kernel/layout.js";
import * as ns from "../../dist/src/kernel/namespace-layout.js";
import {
  chunkKeySize,
  extensionSizeMax,
  keyLengthMax,
  recordHeaderSize,
} from "../../dist/src/record/mod.js";
import * as stats from "../../dist/src/stats/mod.js";

const wide = new Set([
  "controlSeed",
  "controlSequence",
  "controlClearEpoch",
  "controlTagFloor",
  "controlTagNewest",
  "controlTagFileFloor",
  "controlCreatedBase",
  "controlClock",
  "controlSoonest",
  "controlSeals",
  "controlClockWords",
  "controlClearedMemoryEntries",
  "controlClearedMemoryBytes",
  "controlClearedDiskEntries",
  "controlFlightThreads",
  "threadStarted",
  "threadLargeWrite",
  "resultSequence",
  "resultExpires",
  "resultTombstone0",
  "resultTombstone1",
  "resultLocation",
  "resultTagHash",
  "flightSequence",
  "flightLease",
  "flightWaiting",
  "flightArgument",
  "valueHash",
  "valueId",
  "segmentSealOrder",
  "segmentMaxExpires",
  "segmentMaxSequence",
  "namespaceClearEpoch",
  "namespaceMemoryShare",
  "namespaceDiskShare",
  "namespaceVersionHash",
  "namespaceEvictionsMemory",
  "namespaceEvictionsDisk",
  "namespaceExpirations",
  "diskNonce",
  "diskSerial",
  "diskMaxExpires",
  "diskCreated",
  "diskMaxSequence",
]);

interface Word {
  readonly name: string;
  readonly from: number;
  readonly bytes: number;
}

/** The named words, each with its width. */
function wordsOf(names: readonly string[]): Word[] {
  const offsets = { ...at, ...fl, ...ns } as unknown as Readonly<Record<string, number>>;
  return names.map((name) => {
    const from = offsets[name];
    if (from === undefined) throw new Error(`layout has no ${name}`);
    return { name, from, bytes: wide.has(name) ? 8 : 4 };
  });
}

function namesWith(prefix: string, but: readonly string[] = []): string[] {
  return Object.keys(at).filter((name) => name.startsWith(prefix) && !but.includes(name));
}

/** Pairs of words that share a byte, words that are not aligned, and words that reach beyond
 *  `end`. */
function faults(words: readonly Word[], end: number): string[] {
  const found: string[] = [];
  const sorted = words.toSorted((left, right) => left.from - right.from);
  for (const [index, word] of sorted.entries()) {
    const next = sorted[index + 1];
    if (word.from % word.bytes !== 0) found.push(`${word.name} is not aligned`);
    if (word.from + word.bytes > end) found.push(`${word.name} is outside`);
    if (next !== undefined && word.from + word.bytes > next.from) {
      found.push(`${word.name} and ${next.name} overlap`);
    }
  }
  return found;
}

const controlWords = wordsOf(namesWith("control", ["controlBlockSize"]));

test("faults() reports an overlap, a misaligned word and one that is outside", () => {
  const words = [
    { name: "a", from: 0, bytes: 8 },
    { name: "b", from: 4, bytes: 4 },
    { name: "c", from: 12, bytes: 8 },
  ];
  expect(faults(words, 16)).toEqual(["a and b overlap", "c is not aligned", "c is outside"]);
});

describe("control block", () => {
  test("has no two words that overlap", () => {
    expect(controlWords.length).toBeGreaterThan(35);
    expect(faults(controlWords, at.controlBlockSize)).toEqual([]);
  });

  test("keeps words that many threads write off the lines of words that every read uses", () => {
    const lineOf = (offset: number): number => Math.floor(offset / at.cacheLineSize);
    const readByAll = [at.controlSeed, at.controlClearEpoch, at.controlBucketCount].map(lineOf);
    const written = [
      at.controlSequence,
      at.controlFlightThreads,
      at.controlDoorbell,
      at.controlFlushRequested,
      at.controlClearedMemoryEntries,
    ].map(lineOf);
    expect(written.filter((line) => readByAll.includes(line))).toEqual([]);
    expect(new Set(written).size).toBe(written.length);
  });
});

describe("thread block", () => {
  // All except sizes, bits and tables, so that a new word is checked too.
  const own = namesWith("thread", [
    "threadTable",
    "threadsMax",
    "threadInvalidations",
    "threadValue",
    "threadBlockSize",
    "threadHeld",
    "threadBySystem",
    "threadIdShift",
    "threadCounters",
    "threadHistograms",
    "threadKeyScratch",
    "threadTagScratch",
  ]);

  test("has no two words that overlap, and its tables behind them", () => {
    const words = wordsOf([...own, ...namesWith("result")]);
    expect(words).toHaveLength(own.length + 18);
    const tables: Word[] = [
      { name: "counters", from: at.threadCounters, bytes: at.counterCount * 8 },
      { name: "invalidations", from: at.threadInvalidations, bytes: at.invalidationBatch * 4 },
      { name: "value", from: at.threadValue, bytes: at.valueSize },
      {
        name: "histograms",
        from: at.threadHistograms,
        bytes: at.histogramCount * (at.histogramBuckets * 4 + 8),
      },
      { name: "scratch", from: at.threadKeyScratch, bytes: at.keyScratchSize },
    ];
    expect(faults(words, at.threadCounters)).toEqual([]);
    // Over the invalidations: never in use at once.
    const { threadTagScratch, tagScratchSize } = at;
    expect(threadTagScratch).toBeGreaterThanOrEqual(at.threadCounters + at.counterCount * 8);
    expect(threadTagScratch + tagScratchSize).toBeLessThanOrEqual(at.threadValue);
    expect(tables.filter((table) => table.from % 8 !== 0)).toEqual([]);
    expect((at.histogramBuckets * 4) % 8).toBe(0);
    for (const [index, table] of tables.entries()) {
      const end = tables[index + 1]?.from ?? at.threadBlockSize;
      expect(table.from + table.bytes).toBeLessThanOrEqual(end);
    }
  });

  test("has a value register without two words that overlap", () => {
    const bytes = ["valueFrequency", "valueLog", "valueSpace"];
    const words = wordsOf(namesWith("value", ["valueSize", "valueKey", ...bytes]));
    expect(words.length).toBeGreaterThan(5);
    expect(faults(words, at.valueKey)).toEqual([]);
    expect(at.valueKey + chunkKeySize).toBeLessThanOrEqual(at.valueSpace);
    expect(at.valueSpace).toBeLessThan(at.valueSize);
    // Two bytes in a word of their own.
    expect([at.valueLog, at.valueFrequency + 4]).toEqual([at.valueFrequency + 1, at.valueRound]);
  });

  test("keeps the pairs adjacent that the kernel and its readers use together", () => {
    expect(at.threadTombstoneSegment1).toBe(at.threadTombstoneSegment0 + 4);
    expect(at.resultTombstone1).toBe(at.resultTombstone0 + 8);
    expect(at.resultSlotHigh).toBe(at.resultSlotLow + 4);
    expect(at.resultHashHigh).toBe(at.resultHashLow + 4);
  });

  test("has room for every counter, each with its own number", () => {
    const numbers = Object.entries(stats as Readonly<Record<string, unknown>>)
      .filter(([name, value]) => name.startsWith("counter") && typeof value === "number")
      .map(([, value]) => value as number);
    expect(numbers.length).toBeGreaterThan(50);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(Math.max(...numbers)).toBeLessThan(at.counterCount);
  });
});

describe("tables", () => {
  test("follow one another", () => {
    expect(at.threadTable).toBe(at.controlBlockSize);
    expect(at.schemaTable).toBe(at.threadTable + at.threadsMax * at.threadBlockSize);
    expect(at.invalidationLog).toBe(at.schemaTable + at.schemaTableSize);
    expect(at.namespaceTable).toBe(at.invalidationLog + at.invalidationsMax * 8);
    const namespaces = (at.namespacesMax + 1) * at.namespaceSize;
    expect(at.segmentTable).toBe(at.namespaceTable + namespaces);
    expect(at.segmentTable % at.cacheLineSize).toBe(0);
    expect(Math.log2(at.invalidationsMax) % 1).toBe(0);
  });

  test.each([
    [
      "flight",
      [
        "flightState",
        "flightOwner",
        "flightSequence",
        "flightLease",
        "flightWaiting",
        "flightSignal",
        "flightKind",
        "flightOutcome",
        "flightGeneration",
        "flightArgument",
      ],
      fl.flightSize,
    ] as const,
    [
      "segment",
      [
        "segmentState",
        "segmentGeneration",
        "segmentLog",
        "segmentWriteOffset",
        "segmentFlushedOffset",
        "segmentSealOrder",
        "segmentMaxExpires",
        "segmentMaxSequence",
        "segmentBlocker",
        "segmentPin",
        "segmentDiskCopyLost",
      ],
      at.segmentEntrySize,
    ] as const,
    [
      "disk segment",
      [
        "diskState",
        "diskGeneration",
        "diskNonce",
        "diskSerial",
        "diskTombstoneCount",
        "diskRecordCount",
        "diskEndOffset",
        "diskMaxExpires",
        "diskMaxSequence",
        "diskCreated",
      ],
      at.diskEntrySize,
    ] as const,
    [
      "namespace",
      Object.keys(ns).filter((name) => !["namespaceName", "namespaceVersion"].includes(name)),
      ns.namespaceName,
    ] as const,
  ])("%s entry has no two words that overlap", (_name, names, size) => {
    expect(faults(wordsOf(names), size)).toEqual([]);
  });

  test("a window of flights has its hashes on one line", () => {
    expect(fl.flightWindow * fl.flightHashSize).toBe(at.cacheLineSize);
    expect(fl.flightSize).toBe(at.cacheLineSize);
    expect(2 ** fl.flightWindowShift).toBe(fl.flightWindow);
    for (const count of [fl.flightCountMin, fl.flightCountMax]) {
      expect(Math.log2(count) % 1).toBe(0);
    }
  });

  test("states of a table differ", () => {
    const states = [
      at.segmentFree,
      at.segmentOpen,
      at.segmentSealed,
      at.segmentEvicting,
      at.segmentBlocked,
    ];
    expect(new Set(states).size).toBe(states.length);
    // The id of the thread that has it open or empties it is above the state.
    expect(Math.max(...states)).toBeLessThanOrEqual(at.segmentStateMask);
    expect(2 ** at.segmentThreadShift).toBe(at.segmentStateMask + 1);
    expect(new Set([at.stateOpen, at.stateClosing, at.stateClosed, 0]).size).toBe(4);
  });
});

describe("slot", () => {
  test("has 64 bits, each in one field", () => {
    expect(at.slotFrequencyShift + 2).toBe(at.slotFingerprintShift);
    expect(2 ** 2 - 1).toBe(at.slotFrequencyMax);
    expect(at.slotDisplacedShift + 1).toBe(at.slotFrequencyShift);
    expect(at.slotTierShift + 1).toBe(at.slotDisplacedShift);
    expect(at.slotLocationBits).toBe(at.slotTierShift);
    expect(at.slotFingerprintShift + 16).toBe(64);
    expect(at.locationGenerationBits + at.locationSegmentBits + at.locationOffsetBits).toBe(
      at.slotLocationBits,
    );
    expect(at.locationChunkShift).toBe(at.locationUnitBits);
    expect(at.locationUnitBits + 1 + 6).toBe(at.slotLocationBits);
  });

  test("names every offset in the largest memory", () => {
    expect(2 ** at.locationSegmentBits).toBe(at.segmentCountMax);
    expect(2 ** at.locationOffsetBits * 8).toBe(at.segmentBytesMax);
  });

  test("fits seven times in a cache line behind the bucket word", () => {
    expect(at.bucketSize).toBe(at.cacheLineSize);
    expect(8 + at.bucketSlots * 8).toBe(at.bucketSize);
    expect([at.bucketLock, at.bucketDisplaced]).toEqual([0, 4]);
  });
});

test("the slack has a page for each thread, and is longer than any key and extension", () => {
  expect(at.slackPages).toBe(at.threadsMax + 1);
  expect(at.pageSize).toBeGreaterThanOrEqual(keyLengthMax);
  expect(at.slackPages * at.pageSize).toBeGreaterThanOrEqual(
    recordHeaderSize + extensionSizeMax + keyLengthMax,
  );
});

test("a thread's number and incarnation fit the lock word", () => {
  expect(at.threadsMax).toBeLessThan(2 ** 8);
});
