// What any thread writes to the directory itself, before the call that caused it returns:
// tombstones, clears, tag invalidations and schemas. Called by writers and the janitor. Invariant:
// a failed write never brings an older value back. A segment whose tombstone was not written is
// void; an epochs file whose epoch was not written is cut and counts as damaged. The first failure
// takes the disk tier down.
import { UndercroftError } from "../base/mod.js";
import { type Device, fileDevice, isFileAt, lengthOf } from "../device/mod.js";
import { appendTombstone, offsetOfLocation, segmentOfLocation, voidSegment } from "../disk/mod.js";
import {
  areDistrusted,
  distrustedBytes,
  epochsFileBytes,
  epochsName,
  mendEpochSlots,
  schemasName,
  tagFileBytesFrom,
  tagsName,
  writeClearEpoch,
  writeNamespace,
  writeForgotten,
  writeSchemaBytes,
  writeTagFloor,
  writeTagSlot,
} from "../directory/mod.js";
import { codes, type Kernel } from "../kernel/mod.js";
import * as counter from "../stats/mod.js";
import type { SchemaBytes } from "../memory/mod.js";
import { filesOf, type ThreadDisk } from "./disk-handle.js";

/** Most waits of a millisecond for another thread that is writing an invalidation. */
const tagLockWaitsMax = 50;

export class DirectoryWriter {
  readonly #kernel: Kernel;
  readonly #disk: ThreadDisk;
  readonly #device: Device;
  readonly #onFault: (error: UndercroftError) => void;
  /** The highest floor that this thread has written. */
  #floorWritten = 0;

  /** `onFault` gets the error of the write that took the disk tier down. */
  constructor(
    kernel: Kernel,
    disk: ThreadDisk,
    onFault: (error: UndercroftError) => void,
    device: Device = fileDevice,
  ) {
    this.#kernel = kernel;
    this.#disk = disk;
    this.#device = device;
    this.#onFault = onFault;
  }

  /** Writes the tombstone of the record at a location, synchronously: the record is dead on disk
   *  when this returns. If the write fails the tier goes down and the whole segment becomes
   *  void, since the next open must not trust it. */
  writeTombstone(location: number): void {
    const { segmentBytes, files } = this.#disk;
    const { diskSegments, control, verbs } = this.#kernel;
    const segment = segmentOfLocation(location, segmentBytes);
    // The kernel has announced the tombstone. A closing opener waits, up to a bound, for announced
    // tombstones before it gives the directory up; after that, isClosed() is true here.
    if (control.isClosed() || this.#isOthers()) return;
    if (diskSegments.state(segment) === codes.diskQuarantined) return;
    // If the opener has died, the directory may be another one's by now.
    if (!this.#isOurs(filesOf(this.#disk).epochsFd, epochsName)) return;
    const index = verbs.takeTombstoneIndex(segment);
    const unit = offsetOfLocation(location, segmentBytes) / 16;
    const nonce = diskSegments.nonce(segment);
    try {
      appendTombstone(files.fd(segment), segmentBytes, nonce, index, unit, this.#device);
      this.#kernel.count(counter.counterTombstones, 1);
    } catch (error) {
      this.#giveUp(segment);
      this.#fault(error);
    }
  }

  /** False if the descriptor may name another file by now. Node.js closes the descriptors of a
   *  worker that dies, and their numbers are reused. So if the opener is a worker, this is
   *  checked before each write; when it fails the opener is dead, the cache is closed, and no
   *  caller is told that the write was made. */
  #isOurs(fd: number, name: string): boolean {
    return !this.#disk.isOpenerMortal || isFileAt(fd, `${this.#disk.path}/${name}`);
  }

  /** Makes a segment void for the next open: overwrites its header, or else truncates the file.
   *  Neither needs free space. The janitor then drops its entries and reuses it. */
  #giveUp(segment: number): void {
    const { files } = this.#disk;
    const { epochsFd } = filesOf(this.#disk);
    let fd: number | null = null;
    try {
      fd = files.fd(segment);
      this.#void(fd);
    } catch {
      this.#kernel.count(counter.counterDiskErrors, 1);
    }
    this.#kernel.diskSegments.quarantine(segment);
    // It cannot be opened: no descriptor is left, or the directory is away. Until the janitor has
    // voided it, another session would start cold. After the quarantine: see `mend`.
    if (fd === null) this.#resize(epochsFd, distrustedBytes);
    this.#kernel.verbs.ring();
  }

  /** The janitor calls it when it has voided what was quarantined: another session may trust the
   *  rest again. A segment that is quarantined meanwhile is seen here, or its thread marks the
   *  directory once more. Throws ERR_DISK_IO. */
  mend(): void {
    if (this.#isOthers()) return;
    const { epochsFd } = filesOf(this.#disk);
    const isCut = this.#isCut();
    if (!isCut && !areDistrusted(epochsFd)) return;
    if (isCut) this.#restore();
    else this.#device.truncateSync(epochsFd, epochsFileBytes);
    const { diskSegments } = this.#kernel;
    for (let segment = 0; segment < diskSegments.count(); segment++) {
      if (diskSegments.state(segment) !== codes.diskQuarantined) continue;
      this.#device.truncateSync(epochsFd, distrustedBytes);
      return;
    }
  }

  get #tagsBytes(): number {
    return tagFileBytesFrom(filesOf(this.#disk).tagMirror, this.#kernel.tags.capacity);
  }

  /** Whether the epochs or the tags file was cut since a write to it had failed. */
  #isCut(): boolean {
    const { epochsFd, tagsFd } = filesOf(this.#disk);
    return lengthOf(epochsFd) < epochsFileBytes || lengthOf(tagsFd) < this.#tagsBytes;
  }

  /** Writes again what they say, all of which is in shared memory, and then gives them back their
   *  length: who dies before that leaves what starts cold. Once more afterwards, for a thread whose
   *  write has failed meanwhile. Throws ERR_DISK_IO. */
  #restore(): void {
    const { epochsFd, tagsFd } = filesOf(this.#disk);
    const { control, tags } = this.#kernel;
    const floor = tags.raiseFileFloor(tags.floor());
    mendEpochSlots(epochsFd, this.#disk.seed, control.clearEpoch(), floor, this.#device);
    this.#writeAllOrThrow();
    this.#device.truncateSync(tagsFd, this.#tagsBytes);
    this.#device.truncateSync(epochsFd, epochsFileBytes);
    this.#writeAllOrThrow();
  }

  #writeAllOrThrow(): void {
    this.#floorWritten = 0;
    if (this.writeAll()) return;
    const text = `Cannot write down what clears and tags have ended in ${this.#disk.path}`;
    throw new UndercroftError("ERR_DISK_IO", text);
  }

  /** Makes the epochs file one that another session does not trust. It loses a byte of padding,
   *  which takes no room on the disk. */
  #cutEpochs(): void {
    this.#resize(filesOf(this.#disk).epochsFd, epochsFileBytes - 1);
  }

  #cutTags(): void {
    this.#resize(filesOf(this.#disk).tagsFd, this.#tagsBytes - 1);
  }

  #void(fd: number): void {
    try {
      voidSegment(fd, this.#device);
    } catch {
      this.#resize(fd, 0);
    }
  }

  #resize(fd: number, bytes: number): void {
    try {
      this.#device.truncateSync(fd, bytes);
    } catch {
      this.#kernel.count(counter.counterDiskErrors, 1);
    }
  }

  /** Writes a clear down, so that records up to `sequence` never come back. False if the write
   *  failed: the tier stays down until the janitor has written the clear. */
  writeClear(sequence: number): boolean {
    if (this.#isOthers()) return true;
    const { seed } = this.#disk;
    const { epochsFd } = filesOf(this.#disk);
    if (!this.#isOurs(epochsFd, epochsName)) return false;
    try {
      writeClearEpoch(epochsFd, seed, this.#kernel.thread, sequence, this.#device);
      return true;
    } catch (error) {
      // A file of the wrong length counts as damaged, and the next open starts cold.
      this.#cutEpochs();
      this.#fault(error);
      return false;
    }
  }

  /** Writes down what shared memory says of a namespace: its name, version and last clear. Call it
   *  with the namespace lock held. False if the write failed. */
  writeNamespace(id: number): boolean {
    if (this.#isOthers()) return true;
    const { seed } = this.#disk;
    const { epochsFd } = filesOf(this.#disk);
    if (!this.#isOurs(epochsFd, epochsName)) return false;
    const { control, namespaces } = this.#kernel;
    // The opener waits for the lock before it closes the descriptor. The janitor still writes, and
    // must, while the cache is closing: without the clears nothing may be kept.
    if (control.state() === codes.stateClosed) return false;
    try {
      writeNamespace(epochsFd, seed, namespaces.known(id), this.#device);
      return true;
    } catch (error) {
      // As for a clear: the next open starts cold, so the id cannot become another name's.
      this.#cutEpochs();
      this.#fault(error);
      return false;
    }
  }

  /** Writes down the clear of a namespace. If a thread that holds the lock has stopped, it writes a
   *  clear of the whole cache instead, which the next open applies: that is always safe. */
  writeNamespaceClear(id: number): boolean {
    const { locks, control } = this.#kernel;
    if (!locks.namespace.lock(tagLockWaitsMax)) return this.writeClear(control.sequence());
    try {
      return this.writeNamespace(id);
    } finally {
      locks.namespace.unlock();
    }
  }

  /** Writes an entry of the schema table, and its slot, so that they survive a process crash.
   *  False if the write failed or the tier is down: the schema then gets no id, which only costs
   *  bytes. */
  writeSchema(entry: SchemaBytes, slot: SchemaBytes): boolean {
    const { control } = this.#kernel;
    if (!control.isDiskUp()) return false;
    // The opener closes the descriptor once no thread is about to use it. A thread that comes later
    // sees the state here.
    if (control.state() !== codes.stateOpen) return false;
    const { schemasFd } = filesOf(this.#disk);
    if (!this.#isOurs(schemasFd, schemasName)) return false;
    try {
      // A copy: the slot is in shared memory, which node:crypto does not take.
      const plain = { entry: entry.bytes, slot: Uint8Array.from(slot.bytes) };
      const written = this.#disk.cipher?.sealSchema(plain.entry, plain.slot) ?? plain;
      writeSchemaBytes(schemasFd, written.entry, entry.offset, this.#device);
      writeSchemaBytes(schemasFd, written.slot, slot.offset, this.#device);
      return true;
    } catch (error) {
      this.#fault(error);
      return false;
    }
  }

  /** Writes down the tag invalidation that the kernel's last call made. If the write fails, the
   *  directory starts cold at the next open. */
  writeTag(): void {
    if (this.#isOthers()) return;
    const { tagsFd, epochsFd } = filesOf(this.#disk);
    if (!this.#isOurs(tagsFd, tagsName) || !this.#isOurs(epochsFd, epochsName)) return;
    const { control, locks, results, tags } = this.#kernel;
    const slot = results.tagSlot;
    try {
      // The floor first: a slot may have been another tag's, which only the floor covers now.
      this.#writeFloor(tags.floor());
      if (slot === codes.noTagSlot) return;
      if (!locks.tag.lock(tagLockWaitsMax)) {
        // The lock owner has stopped. A floor makes the next open drop every tagged record up to
        // now, which is always safe.
        this.#writeFloor(control.sequence());
        return;
      }
      try {
        this.#writeSlot(slot);
      } finally {
        locks.tag.unlock();
      }
    } catch (error) {
      this.#cutTags();
      this.#fault(error);
    }
  }

  /** Writes what a slot of the tag table holds now, which another thread may have changed. A free
   *  slot was forgotten, and one with sequence 0 is about to be written by the thread that took it.
   *  Call it with the tag lock held. */
  #writeSlot(slot: number): void {
    const { tagsFd, tagMirror } = filesOf(this.#disk);
    const tag = this.#kernel.tags.slot(slot);
    if (tag === null || tag.sequence === 0n) return;
    const { seed, cipher } = this.#disk;
    writeTagSlot(tagsFd, seed, tagMirror, slot, tag, this.#device, cipher);
  }

  /** Writes down what ended entries before the directory was the cache's: clears, invalidated tags
   *  and the namespaces. Call it once the word is set by which every other thread writes its own
   *  from then on. False if a write failed. */
  writeAll(): boolean {
    const { control, namespaces, tags, locks } = this.#kernel;
    const epoch = control.clearEpoch();
    if (epoch > 0 && !this.writeClear(epoch)) return false;
    for (let id = 1; id <= codes.namespacesMax; id++) {
      if (namespaces.isKnown(id) && !this.writeNamespaceClear(id)) return false;
    }
    try {
      this.#writeFloor(tags.floor());
      for (let slot = 0; slot < tags.capacity; slot++) {
        // For each slot anew: other threads wait for the lock only so long.
        if (!locks.tag.lock(tagLockWaitsMax)) {
          // As in writeTag: the lock owner has stopped.
          this.#writeFloor(control.sequence());
          return true;
        }
        try {
          this.#writeSlot(slot);
        } finally {
          locks.tag.unlock();
        }
      }
      return true;
    } catch (error) {
      this.#cutTags();
      this.#fault(error);
      return false;
    }
  }

  /** Whether nothing may be written, since the directory is another cache's. What a caller has
   *  changed in shared memory before it asks is seen by `writeAll`. */
  #isOthers(): boolean {
    return this.#kernel.control.isDirectoryOthers();
  }

  /** Writes down up to where all tagged records are void. Throws ERR_DISK_IO. */
  writeFloor(floor: number): void {
    if (!this.#isOurs(filesOf(this.#disk).epochsFd, epochsName)) return;
    this.#writeFloor(floor);
  }

  /** Writes a floor to this thread's slot, unless it has written it. The slot may hold a higher one
   *  of an earlier holder of the thread id, so the floors of all threads are raised together. */
  #writeFloor(floor: number): void {
    if (floor <= this.#floorWritten) return;
    const { seed } = this.#disk;
    const { epochsFd } = filesOf(this.#disk);
    const wanted = this.#kernel.tags.raiseFileFloor(floor);
    writeTagFloor(epochsFd, seed, this.#kernel.thread, wanted, this.#device);
    this.#floorWritten = wanted;
  }

  /** Writes that everything is gone which tag invalidations up to `sequence` void. False if the
   *  write failed: the tags must not be forgotten then. */
  writeForgotten(sequence: number): boolean {
    const { seed } = this.#disk;
    const { tagsFd } = filesOf(this.#disk);
    if (!this.#isOurs(tagsFd, tagsName)) return false;
    try {
      writeForgotten(tagsFd, seed, sequence, this.#device);
      return true;
    } catch (error) {
      this.#fault(error);
      return false;
    }
  }

  #fault(error: unknown): void {
    this.#kernel.count(counter.counterDiskErrors, 1);
    // Report it once: further writes fail while the tier is down.
    if (!this.#kernel.control.markDiskDown()) return;
    this.#kernel.verbs.ring();
    const text = `Cannot write to ${this.#disk.path}`;
    this.#onFault(
      error instanceof UndercroftError
        ? error
        : new UndercroftError("ERR_DISK_IO", text, { cause: error }),
    );
  }
}
