// The disk tier as the janitor has it. Made when the janitor starts: what is on disk is recovered,
// or what a dead janitor left is put in order.
import { type UndercroftError } from "../base/mod.js";
import { type Device, fileDevice } from "../device/mod.js";
import { assertPresent } from "../directory/mod.js";
import {
  DiskLog,
  type DiskSide,
  failOver,
  FlushAdmission,
  Flusher,
  InvalidatedWalk,
  recover,
  type RecoveryReport,
} from "../disk-log/mod.js";
import { type RemovalReporter, sharedClock } from "../eviction/mod.js";
import { createHasher } from "../hash/mod.js";
import type { Kernel } from "../kernel/mod.js";
import {
  DirectoryWriter,
  type DiskHandle,
  filesOf,
  segmentsOf,
  type ThreadDisk,
  threadDisk,
} from "../tiers/mod.js";
import type { JanitorTask } from "./messages.js";
import type { SweptDisk } from "./tag-sweeper.js";

/** What the janitor needs of a disk tier. */
export interface JanitorDisk extends DiskSide {
  readonly device: Device;
  readonly own: ThreadDisk;
}

/** Makes it, and recovers what is on disk, or fails over. `onFault` gets the error of a write that
 *  took the tier down. */
export async function startDisk(
  { handle, recovery }: JanitorTask,
  disk: DiskHandle,
  kernel: Kernel,
  removals: RemovalReporter,
  onFault: (error: UndercroftError) => void,
): Promise<{ readonly disk: JanitorDisk; readonly report: RecoveryReport | null }> {
  const hasher = await createHasher();
  const own = threadDisk(kernel, disk);
  const directory = new DirectoryWriter(kernel, own, onFault);
  const admission = new FlushAdmission(kernel, disk.admission);
  const writeTombstone = (location: number): void => directory.writeTombstone(location);
  const device = deviceOf(kernel);
  const parts = { hasher, budget: admission.budget, removals, writeTombstone, device };
  const log = new DiskLog(kernel, own, parts);
  let report: RecoveryReport | null = null;
  if (recovery === null) {
    failOver(kernel, own);
  } else {
    const now = sharedClock(kernel, handle.isClockInjected).now();
    const { resume, ...rest } = recover(kernel, own, directory, recovery, hasher, now);
    if (resume >= 0) log.resume(resume);
    report = rest;
    own.files.closeUnpinned();
  }
  const flusher = new Flusher(kernel, log, admission);
  const isPresent = (): void => {
    const segments = segmentsOf(own, kernel.diskSegments.count());
    assertPresent({ path: own.path, ...filesOf(own), segments });
  };
  return {
    disk: { log, directory, hasher, flusher, own, device, assertPresent: isPresent },
    report,
  };
}

/** Notes a sync that failed, before anybody goes on: one that is tried again would succeed without
 *  what the system has dropped, and so would the opener's. */
function deviceOf(kernel: Kernel): Device {
  return {
    ...fileDevice,
    fsyncSync: (fd) => {
      try {
        fileDevice.fsyncSync(fd);
      } catch (error) {
        kernel.flushes.noteSyncLost();
        throw error;
      }
    },
  };
}

/** The disk as the sweep uses it; null if there is none. */
export function sweptDisk(kernel: Kernel, disk: JanitorDisk | null): SweptDisk | null {
  if (disk === null) return null;
  const { directory, hasher, own, device } = disk;
  const { epochsFd, syncResets, isSynced } = filesOf(own);
  const isAsked = (): boolean => isSynced && (syncResets || kernel.flushes.syncRequested() !== 0);
  const writeTombstone = directory.writeTombstone.bind(directory);
  return {
    walk: new InvalidatedWalk(kernel, own, hasher, writeTombstone),
    sync: (segment: number): boolean => {
      if (!isAsked() || segment >= kernel.diskSegments.count()) return false;
      device.fsyncSync(own.files.fd(segment));
      return true;
    },
    writeFloor: (floor: number): void => {
      directory.writeFloor(floor);
      if (isAsked()) device.fsyncSync(epochsFd);
    },
    writeForgotten: directory.writeForgotten.bind(directory),
  };
}
