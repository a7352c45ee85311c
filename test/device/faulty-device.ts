// A device that fails on purpose, around a real one. Tests pass it to the disk tier to see what a
// broken disk does. Invariant: where the plan says nothing, the inner device does the work
// unchanged.

import { UndercroftError } from "../../dist/src/base/mod.js";
import type { Device } from "../../dist/src/device/mod.js";
import { shortWrite } from "../../dist/src/device/file-device.js";

/** One operation, as the plan sees it before it happens. */
export interface Operation {
  readonly kind: "read" | "write" | "truncate" | "fsync";
  readonly fd: number;
  readonly length: number;
  readonly position: number;
  /** Operations of this kind so far on this device, this one included: the first is 1. */
  readonly nth: number;
}

/** What goes wrong: an error of the system; only the first `bytes` bytes move; the byte at `at` is
 *  inverted; a write, a truncate or an fsync is reported as done and was not. */
export type Fault =
  | { readonly kind: "error"; readonly code: string }
  | { readonly kind: "short"; readonly bytes: number }
  | { readonly kind: "flip"; readonly at: number }
  | { readonly kind: "drop" };

/** Says what goes wrong with one operation; `undefined` = nothing. */
export type FaultPlan = (operation: Operation) => Fault | undefined;

/** A device that does what `inner` does, except for the faults of the plan. */
export function faultyDevice(inner: Device, plan: FaultPlan): Device {
  const counts = { read: 0, write: 0, truncate: 0, fsync: 0 };
  const faultOf = (
    kind: Operation["kind"],
    fd: number,
    length: number,
    position: number,
  ): Fault | undefined => {
    counts[kind] += 1;
    const fault = plan({ kind, fd, length, position, nth: counts[kind] });
    if (fault?.kind === "error") throw injected(kind, fault.code);
    return fault;
  };
  const device: Device = {
    async readAt(fd, buffer, offset, length, position) {
      const fault = faultOf("read", fd, length, position);
      const count = await inner.readAt(fd, buffer, offset, readLength(fault, length), position);
      flip(fault, buffer, offset, count);
      return count;
    },
    readAtSync(fd, buffer, offset, length, position) {
      const fault = faultOf("read", fd, length, position);
      const count = inner.readAtSync(fd, buffer, offset, readLength(fault, length), position);
      flip(fault, buffer, offset, count);
      return count;
    },
    writeAtSync(fd, buffer, offset, length, position) {
      const fault = faultOf("write", fd, length, position);
      if (fault?.kind === "drop") return;
      if (fault?.kind === "short") {
        inner.writeAtSync(fd, buffer, offset, fault.bytes, position);
        throw shortWrite(fault.bytes, length, position);
      }
      const copy = Uint8Array.prototype.slice.call(buffer, offset, offset + length);
      flip(fault, copy, 0, length);
      inner.writeAtSync(fd, copy, 0, length, position);
    },
    truncateSync(fd, length) {
      if (faultOf("truncate", fd, length, 0)?.kind !== "drop") inner.truncateSync(fd, length);
    },
    async fsync(fd) {
      if (faultOf("fsync", fd, 0, 0)?.kind !== "drop") await inner.fsync(fd);
    },
    fsyncSync(fd) {
      if (faultOf("fsync", fd, 0, 0)?.kind !== "drop") inner.fsyncSync(fd);
    },
  };
  return Object.freeze(device);
}

function injected(kind: string, code: string): UndercroftError {
  const cause = Object.assign(new Error(`${code}: injected, ${kind}`), { code });
  return new UndercroftError("ERR_DISK_IO", `Cannot ${kind} a cache file: ${cause.message}`, {
    cause,
  });
}

function readLength(fault: Fault | undefined, length: number): number {
  return fault?.kind === "short" ? Math.min(fault.bytes, length) : length;
}

function flip(fault: Fault | undefined, bytes: Uint8Array, offset: number, count: number): void {
  if (fault?.kind !== "flip" || fault.at >= count) return;
  bytes[offset + fault.at] = ~(bytes[offset + fault.at] ?? 0) & 0xff;
}
