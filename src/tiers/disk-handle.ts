// What a thread needs of the directory: plain data, posted with the handle. The opener opens the files; the other threads have
// them by descriptor.
import type { AdmissionConfig } from "../config/mod.js";

export interface DiskHandle {
  readonly path: string;
  readonly segmentBytes: number;
  readonly fds: readonly number[];
  readonly epochsFd: number;
  readonly schemasFd: number;
  readonly seed: bigint;
  /** A power loss must find the tombstones of reused segments gone: there is an fsync barrier. */
  readonly syncResets: boolean;
  /** Which records the janitor writes there. */
  readonly admission: AdmissionConfig;
  /** A worker opened the cache: its descriptors are closed when it dies, while other threads still have their numbers. */
  readonly isOpenerMortal: boolean;
}
