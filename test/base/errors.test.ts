import { expect, test } from "vitest";
import { assert, AssertionError, isWellFormed, UndercroftError } from "../../dist/src/base/mod.js";

test("UndercroftError carries its code, and a cause only if given", () => {
  const cause = new Error("EACCES");
  const error = new UndercroftError("ERR_DISK_IO", "Cannot read segment 3: the disk said no", {
    cause,
  });
  expect(error).toBeInstanceOf(Error);
  expect(error.name).toBe("UndercroftError");
  expect(error.code).toBe("ERR_DISK_IO");
  expect(error.cause).toBe(cause);
  expect(Object.hasOwn(new UndercroftError("ERR_WORKER", "x"), "cause")).toBe(false);
  expect(Object.hasOwn(new UndercroftError("ERR_WORKER", "x", {}), "cause")).toBe(false);
});

test("assert() throws an AssertionError only if the condition fails", () => {
  assert(true, "all is well");
  expect(() => assert(false, "a segment has room")).toThrow(AssertionError);
  expect(() => assert(false, "a segment has room")).toThrow("Assertion failed: a segment has room");
});

test("isWellFormed() finds lone surrogates", () => {
  expect(isWellFormed("")).toBe(true);
  expect(isWellFormed("a\u00ff\u4e00\u{1f600}")).toBe(true);
  expect(isWellFormed("a\ud800")).toBe(false);
  expect(isWellFormed("\udc00\ud800")).toBe(false);
});
