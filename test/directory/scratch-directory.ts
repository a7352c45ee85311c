// What the tests of whole directories share: opening under given conditions, filling segments, and
// recovering them.

import {
  BatchBuilder,
  resetSegment,
  scanSegment,
  type SegmentScan,
  segmentKeyOf,
  reconcileSegment,
  writeBatch,
} from "../../dist/src/disk/mod.js";
import {
  type OpenDirectory,
  openDirectory,
  type OpenDirectoryOptions,
  openSegment,
} from "../../dist/src/directory/mod.js";
import { closeSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { MiB } from "../../dist/src/base/mod.js";
import { hasher, makeRecord } from "../disk/scratch.js";

export const capacityBytes = 2 * MiB;
/** As of a cache of 1 MiB. */
export const tagSlots = 2051;
export const wallNow = 1_750_000_000_000;
export const clean = { clean: true, nextSequence: 1, lastAliveMs: wallNow, schemas: 0 };
export const unclean = { ...clean, clean: false };

export function open(
  path: string,
  change: Partial<OpenDirectoryOptions> = {},
): Promise<OpenDirectory> {
  const size = { capacityBytes, maxRecordBytes: 1000, tagSlots };
  const options = { path, ...size, codecName: "msgpack", wallNow, bootId: "boot-1" };
  return openDirectory({ ...options, ...change });
}

/** Begins segment `segment` and writes one batch with these sequences; every second record
 *  expires. */
export function fill(directory: OpenDirectory, segment: number, sequences: number[]): void {
  withSegment(directory, segment, (fd) => fillFile(directory, segment, sequences, fd));
}

/** Opens a segment file for a call. */
export function withSegment<T>(
  { path, segments }: OpenDirectory,
  segment: number,
  call: (fd: number) => T,
): T {
  const fd = openSegment(path, segment, segments[segment]!);
  try {
    return call(fd);
  } finally {
    closeSync(fd);
  }
}

function fillFile(
  { segmentBytes, seed }: OpenDirectory,
  segment: number,
  sequences: number[],
  fd: number,
): void {
  const nonce = BigInt(segment + 1000);
  const identity = { nonce, serial: segment + 1, createdMs: wallNow };
  resetSegment(fd, segmentBytes, identity, segmentKeyOf(seed, segment), hasher, false);
  const builder = new BatchBuilder(16384, hasher);
  builder.begin({ nonce, offset: 64, segmentBytes, recordCount: 0 });
  for (const sequence of sequences) {
    const record = makeRecord(`key-${sequence}`, "value", sequence);
    const expires = sequence % 2 === 0 ? wallNow + 1000 : Infinity;
    builder.append(record, 0, record.length, sequence, 0, sequence, expires);
  }
  writeBatch(fd, builder.finish(0), 64);
}

export function scanOf(directory: OpenDirectory, segment: number): SegmentScan | null {
  const { segmentBytes, seed } = directory;
  return withSegment(directory, segment, (fd) =>
    scanSegment(fd, segmentBytes, segmentKeyOf(seed, segment), hasher),
  );
}

/** Sequences that come back after every segment was scanned and settled. */
export function recovered(directory: OpenDirectory): number[] {
  const sequences: number[] = [];
  for (let segment = 0; segment < directory.segmentCount; segment++) {
    const found = scanOf(directory, segment);
    if (found === null) continue;
    withSegment(directory, segment, (fd) =>
      reconcileSegment(fd, directory.segmentBytes, found, directory.recovery),
    );
    for (const [entry, sequence] of found.entries.sequence.entries()) {
      if (found.entries.dead[entry] === 0) sequences.push(sequence);
    }
  }
  return sequences;
}

export function bytesIn(path: string): number {
  return readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}

/** Leaves a directory with records 1 to 6 in two segments, as a kill would: no close, but the lock
 *  is free. */
export async function leaveKilled(path: string, barrier = 0): Promise<void> {
  const directory = await open(path);
  fill(directory, 0, [1, 2, 3]);
  if (barrier > 0) await directory.syncThrough(barrier);
  fill(directory, 1, [4, 5, 6]);
  await directory.close(unclean);
}
