// A schedule in words: which thread did what to which word, as docs/internals/memory.md names the
// words. Called by report.ts.

import type { Step } from "./scheduler.js";
import type { World } from "./world.js";

const recordFields: Readonly<Record<number, string>> = {
  0: "size",
  4: "key length",
  6: "codec",
  7: "flags",
  8: "sequence",
  14: "extension units",
  16: "created",
  20: "checksum",
};

/** What is at an address. */
export function nameOf(world: World, address: number): string {
  const { at } = world;
  const { geometry } = (world.threads[0] as World["threads"][number]).kernel;
  const { bucketBase, bucketCount, segmentBase, segmentBytes, segmentCount } = geometry;
  const within = (start: number, size: number, count: number): readonly [number, number] | null => {
    const offset = address - start;
    return offset >= 0 && offset < size * count ? [Math.floor(offset / size), offset % size] : null;
  };
  const bucket = within(bucketBase, at.bucketSize, bucketCount);
  if (bucket !== null) {
    const [number, offset] = bucket;
    if (offset < 4) return `lock of bucket ${number}`;
    return offset < 8 ? `displaced of bucket ${number}` : `slot ${offset >> 3} of bucket ${number}`;
  }
  const segment = within(at.segmentTable, at.segmentEntrySize, segmentCount);
  if (segment !== null) return `segment ${segment[0]}, ${fieldOf(at, "segment", segment[1])}`;
  const { flightBase, flightCount } = geometry;
  const hash = within(flightBase, at.flightHashSize, flightCount);
  if (hash !== null) return `hash of flight ${hash[0]}`;
  const flights = flightBase + flightCount * at.flightHashSize;
  const flight = within(flights, at.flightSize, flightCount);
  if (flight !== null) return `flight ${flight[0]}, ${fieldOf(at, "flight", flight[1])}`;
  const file = within(geometry.diskTable, at.diskEntrySize, geometry.diskSegmentCount);
  if (file !== null) return `segment file ${file[0]}, ${fieldOf(at, "disk", file[1])}`;
  const thread = within(at.threadTable, at.threadBlockSize, at.threadsMax);
  if (thread !== null) return `thread ${thread[0]}, ${fieldOf(at, "thread", thread[1])}`;
  const byte = within(segmentBase, segmentBytes, segmentCount);
  if (byte !== null) {
    return `byte ${byte[1]} of segment ${byte[0]} (${recordFields[byte[1]] ?? "record"})`;
  }
  return fieldOf(at, "control", address);
}

function fieldOf(at: World["at"], prefix: string, offset: number): string {
  const named = Object.entries(at).find(
    ([name, value]) => name.startsWith(prefix) && value === offset && !/Max|Size|Shift/.test(name),
  );
  return named === undefined ? `${prefix} + ${offset}` : named[0];
}

/** The steps as lines; a thread that reads one word again and again has one line. */
export function linesOf(world: World, steps: readonly Step[]): string[] {
  const lines: string[] = [];
  let repeats = 0;
  for (const [index, { thread, site, address, isShared }] of steps.entries()) {
    const before = steps[index - 1];
    const isAgain = before?.thread === thread && before.address === address;
    repeats = isAgain ? repeats + 1 : 0;
    if (!isShared || repeats > 3) continue;
    if (before !== undefined && before.thread !== thread) lines.push("");
    lines.push(
      `  ${thread.padEnd(9)} ${site.replace(/#.*/, "").padEnd(22)} ${nameOf(world, address)}`,
    );
  }
  return lines;
}
