// The device contract, on the real device and on the faulty one without faults; and each fault.

import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { fileDevice } from "../../dist/src/device/mod.js";
import { type Fault, faultyDevice, type Operation } from "./faulty-device.js";

function scratchFile(): { fd: number; file: string } {
  const path = mkdtempSync(join(tmpdir(), "undercroft-test-"));
  const file = join(path, "file");
  const fd = openSync(file, "w+");
  onTestFinished(() => {
    closeSync(fd);
    rmSync(path, { recursive: true, force: true });
  });
  return { fd, file };
}

const coded = expect.objectContaining({ name: "UndercroftError", code: "ERR_DISK_IO" });
const bytes = Buffer.from("0123456789");

describe.each([
  ["fileDevice", fileDevice],
  ["faultyDevice() without faults", faultyDevice(fileDevice, () => undefined)],
])("%s", (_, device) => {
  test("writes and reads at positions, from and into the middle of buffers", async () => {
    const { fd, file } = scratchFile();
    device.writeAtSync(fd, bytes, 2, 5, 3);
    expect(readFileSync(file)).toEqual(Buffer.from("\0\0\0" + "23456"));
    const into = Buffer.alloc(8, "-");
    expect(device.readAtSync(fd, into, 1, 4, 4)).toBe(4);
    expect(into.toString()).toBe("-3456---");
    expect(await device.readAt(fd, into, 4, 2, 3)).toBe(2);
    expect(into.toString()).toBe("-34523--");
  });

  test("reads less only at the end of the file", async () => {
    const { fd } = scratchFile();
    device.writeAtSync(fd, bytes, 0, 10, 0);
    const into = Buffer.alloc(20);
    expect(device.readAtSync(fd, into, 0, 20, 4)).toBe(6);
    expect(await device.readAt(fd, into, 0, 20, 4)).toBe(6);
    expect(await device.readAt(fd, into, 0, 20, 10)).toBe(0);
    expect(device.readAtSync(fd, into, 0, 20, 99)).toBe(0);
  });

  test("takes views on shared memory", async () => {
    const { fd } = scratchFile();
    const shared = new Uint8Array(new SharedArrayBuffer(16)).fill(7);
    device.writeAtSync(fd, shared, 4, 8, 0);
    shared.fill(0);
    expect(await device.readAt(fd, shared, 0, 8, 0)).toBe(8);
    expect([...shared]).toEqual([7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("cuts and grows with zeros, and syncs", async () => {
    const { fd, file } = scratchFile();
    device.writeAtSync(fd, bytes, 0, 10, 0);
    device.truncateSync(fd, 4);
    device.truncateSync(fd, 6);
    device.fsyncSync(fd);
    await device.fsync(fd);
    expect(readFileSync(file)).toEqual(Buffer.from("0123\0\0"));
  });

  test("fails with a code and a cause on an invalid descriptor", async () => {
    const bad = 999_999;
    const into = Buffer.alloc(4);
    await expect(device.readAt(bad, into, 0, 4, 0)).rejects.toEqual(coded);
    await expect(device.fsync(bad)).rejects.toEqual(coded);
    expect(() => device.readAtSync(bad, into, 0, 4, 0)).toThrow(coded);
    expect(() => device.writeAtSync(bad, into, 0, 4, 0)).toThrow(coded);
    expect(() => device.truncateSync(bad, 4)).toThrow(coded);
    expect(() => device.fsyncSync(bad)).toThrow(coded);
    const failed = device.fsync(bad).catch((error: Error) => (error.cause as Error).message);
    expect(await failed).toContain("EBADF");
  });
});

describe("faultyDevice()", () => {
  const withFault = (fault: Fault, kind: Operation["kind"], nth = 1) =>
    faultyDevice(fileDevice, (operation) =>
      operation.kind === kind && operation.nth === nth ? fault : undefined,
    );

  test("calls the plan before each operation", () => {
    const { fd } = scratchFile();
    const seen: Operation[] = [];
    const device = faultyDevice(fileDevice, (operation) => {
      expect(fstatSync(fd).size).toBe(seen.length === 0 ? 0 : 10);
      seen.push(operation);
      return undefined;
    });
    device.writeAtSync(fd, bytes, 0, 10, 0);
    device.writeAtSync(fd, bytes, 0, 5, 2);
    device.readAtSync(fd, Buffer.alloc(3), 0, 3, 1);
    expect(seen).toEqual([
      { kind: "write", fd, length: 10, position: 0, nth: 1 },
      { kind: "write", fd, length: 5, position: 2, nth: 2 },
      { kind: "read", fd, length: 3, position: 1, nth: 1 },
    ]);
  });

  test("fails with the system's code as the cause, once, and does nothing", async () => {
    const { fd } = scratchFile();
    const device = withFault({ kind: "error", code: "ENOSPC" }, "write", 2);
    device.writeAtSync(fd, bytes, 0, 1, 0);
    const failure: unknown = await Promise.resolve()
      .then(() => device.writeAtSync(fd, bytes, 0, 10, 0))
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "ERR_DISK_IO", cause: { code: "ENOSPC" } });
    expect(fstatSync(fd).size).toBe(1);
    device.writeAtSync(fd, bytes, 0, 10, 0);
    expect(fstatSync(fd).size).toBe(10);
  });

  test("moves only the first bytes: a write then fails, a read returns their number", async () => {
    const { fd, file } = scratchFile();
    const short: Fault = { kind: "short", bytes: 3 };
    expect(() => withFault(short, "write").writeAtSync(fd, bytes, 0, 10, 0)).toThrow(coded);
    expect(readFileSync(file, "utf8")).toBe("012");
    fileDevice.writeAtSync(fd, bytes, 0, 10, 0);
    expect(await withFault(short, "read").readAt(fd, Buffer.alloc(10), 0, 10, 0)).toBe(3);
    expect(withFault(short, "read").readAtSync(fd, Buffer.alloc(10), 0, 10, 0)).toBe(3);
  });

  test("inverts one byte on its way, but not in the caller's buffer", async () => {
    const { fd, file } = scratchFile();
    const flip: Fault = { kind: "flip", at: 1 };
    const source = Buffer.from("abc");
    withFault(flip, "write").writeAtSync(fd, source, 0, 3, 0);
    expect(source.toString()).toBe("abc");
    expect(readFileSync(file)).toEqual(Buffer.of(0x61, ~0x62 & 0xff, 0x63));
    const into = Buffer.alloc(3);
    expect(withFault(flip, "read").readAtSync(fd, into, 0, 3, 0)).toBe(3);
    expect(into.toString()).toBe("abc");
    expect(await withFault({ kind: "flip", at: 9 }, "read").readAt(fd, into, 0, 3, 0)).toBe(3);
  });

  test("reports writes, truncates and syncs that never happened", async () => {
    const { fd, file } = scratchFile();
    const device = faultyDevice(fileDevice, ({ kind }) =>
      kind === "read" ? undefined : { kind: "drop" },
    );
    device.writeAtSync(fd, bytes, 0, 10, 0);
    device.truncateSync(fd, 5);
    device.fsyncSync(999_999);
    await device.fsync(999_999);
    expect(readFileSync(file).length).toBe(0);
  });
});
