// What any thread writes to the directory itself, before the call that caused it returns: tombstones, clears, tag invalidations
// and schemas. Invariant: what could not be written cannot bring an older value back: a segment without its tombstone is given
// up, an epochs file that misses an epoch counts as damaged. The first failure takes the disk tier down.
import { UndercroftError } from "../base/mod.js";
import { type Device, fileDevice, isFileAt } from "../device/mod.js";
import { appendTombstone, offsetOfLocation, segmentOfLocation, voidSegment } from "../disk/mod.js";
import {
  epochsName,
  schemasName,
  segmentName,
  writeClearEpoch,
  writeSchemaBytes,
  writeTagCell,
  writeTagFloor,
} from "../directory/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";
import type { DiskHandle } from "./disk-handle.js";

/** Waits of a millisecond for another thread that writes an invalidation down. */
const tagLockWaitsMax = 50;

export class DirectoryWriter {
  readonly #kernel: Kernel;
  readonly #disk: DiskHandle;
  readonly #device: Device;
  readonly #onFault: (error: UndercroftError) => void;

  /** `onFault` hears of the first failed write; the disk tier is down then. */
  constructor(
    kernel: Kernel,
    disk: DiskHandle,
    onFault: (error: UndercroftError) => void,
    device: Device = fileDevice,
  ) {
    this.#kernel = kernel;
    this.#disk = disk;
    this.#device = device;
    this.#onFault = onFault;
  }

  /** Writes the tombstone of the record at a location. Synchronous: the record is dead when this returns. If it cannot be
   *  written the tier goes down for writing, and the whole segment is given up: the next open must not trust it. */
  writeTombstone(location: number): void {
    const { segmentBytes, fds } = this.#disk;
    const { diskSegments, control, verbs } = this.#kernel;
    const segment = segmentOfLocation(location, segmentBytes);
    const fd = fds[segment] as number;
    // The kernel has announced it; an opener that closes waits for that, and one that has closed is seen here.
    if (control.isClosed()) return;
    if (diskSegments.state(segment) === codes.diskQuarantined) return;
    if (!this.#isOurs(fd, segmentName(segment))) return;
    const index = verbs.takeTombstoneIndex(segment);
    const unit = offsetOfLocation(location, segmentBytes) / 16;
    const nonce = diskSegments.nonce(segment);
    try {
      appendTombstone(fd, segmentBytes, nonce, index, unit, this.#device);
      this.#kernel.count(counter.counterTombstones, 1);
    } catch (error) {
      this.#giveUp(segment);
      this.#fault(error);
    }
  }

  /** False once a descriptor may be of somebody else's file. Asked before each write, for as long as the opener may die
   *  without a word; its cache is closed by then, and nobody is told that the write was made. */
  #isOurs(fd: number, name: string): boolean {
    return !this.#disk.isOpenerMortal || isFileAt(fd, `${this.#disk.path}/${name}`);
  }

  /** Makes a segment void for the next open: by a write over bytes that are there, else by cutting the file, neither of
   *  which needs room. The janitor drops its entries and uses it again. */
  #giveUp(segment: number): void {
    const fd = this.#disk.fds[segment] as number;
    try {
      voidSegment(fd, this.#device);
    } catch {
      this.#cut(fd);
    }
    this.#kernel.diskSegments.quarantine(segment);
    this.#kernel.verbs.ring();
  }

  #cut(fd: number): void {
    try {
      this.#device.truncateSync(fd, 0);
    } catch {
      this.#kernel.count(counter.counterDiskErrors, 1);
    }
  }

  /** Makes a clear durable: records up to `sequence` never come back. False if it could not be written: the janitor
   *  writes it too, and the tier stays down until that has worked. */
  writeClear(sequence: number): boolean {
    const { epochsFd, seed } = this.#disk;
    if (!this.#isOurs(epochsFd, epochsName)) return false;
    try {
      writeClearEpoch(epochsFd, seed, this.#kernel.thread, sequence, this.#device);
      return true;
    } catch (error) {
      // Without its whole length the file counts as damaged, and the next open starts cold.
      this.#cut(epochsFd);
      this.#fault(error);
      return false;
    }
  }

  /** Makes bytes of the schema table durable against a kill; false if they could not be written, or the tier is down
   *  and may be without the room: the schema has no id then, which costs bytes. */
  writeSchema(bytes: Uint8Array, offset: number): boolean {
    const { control } = this.#kernel;
    if (!control.isDiskUp()) return false;
    // The opener closes the descriptor when no thread is about to use it; one that comes later is seen here.
    if (control.state() !== codes.stateOpen) return false;
    if (!this.#isOurs(this.#disk.schemasFd, schemasName)) return false;
    try {
      writeSchemaBytes(this.#disk.schemasFd, bytes, offset, this.#device);
      return true;
    } catch (error) {
      this.#fault(error);
      return false;
    }
  }

  /** Makes the invalidation of a tag durable, that the kernel's last call was; `sequence` is what that answered. If it
   *  cannot be written the directory starts cold at the next open. */
  writeTag(sequence: number): void {
    const { epochsFd, seed } = this.#disk;
    if (!this.#isOurs(epochsFd, epochsName)) return;
    const { control, locks, results, thread } = this.#kernel;
    const cells = results.tagCells();
    try {
      if (!locks.tag.lock(tagLockWaitsMax)) {
        // Whoever has the lock was stopped. To drop every tagged record at the next open is always right.
        writeTagFloor(epochsFd, seed, thread, sequence, this.#device);
        return;
      }
      try {
        for (const cell of cells) {
          writeTagCell(epochsFd, seed, cell, control.tagCell(cell), this.#device);
        }
      } finally {
        locks.tag.unlock();
      }
    } catch (error) {
      this.#cut(epochsFd);
      this.#fault(error);
    }
  }

  #fault(error: unknown): void {
    this.#kernel.count(counter.counterDiskErrors, 1);
    // Told once: while the tier is down, failing is what it does.
    if (!this.#kernel.control.markDiskDown()) return;
    const text = `Cannot write to ${this.#disk.path}`;
    this.#onFault(
      error instanceof UndercroftError
        ? error
        : new UndercroftError("ERR_DISK_IO", text, { cause: error }),
    );
  }
}
