// The checked build of the kernel traps when a caller breaks an assumption of a protocol. So a
// green kernel test says that no caller does. The shipped builds have no checks.

import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import { builds, openThread } from "./opened-kernel.js";

describe("the checked build traps", () => {
  test("when a thread frees a segment that it has not claimed", () => {
    const thread = openThread({ build: builds[0] });
    expect(() => thread.verbs.freeSegment(1)).toThrow("unreachable");
  });

  test("when a record is published in a segment that is sealed", () => {
    const thread = openThread({ build: builds[0] });
    const record = thread.append("key", "value");
    if (record === undefined) throw new Error("no segment is free");
    thread.verbs.sealOpen(at.logSmall);
    expect(() => thread.publish(record)).toThrow("unreachable");
  });

  test("when a flight is ended twice", () => {
    const thread = openThread({ build: builds[0] });
    const flight = thread.verbs.beginFlight(...thread.hashWords("key"));
    thread.verbs.endFlight(flight, 0, 0);
    expect(() => {
      thread.verbs.endFlight(flight, 0, 0);
    }).toThrow("unreachable");
  });
});

test("a shipped build has no checks", () => {
  const thread = openThread({ build: builds[1] });
  expect(() => thread.verbs.freeSegment(1)).not.toThrow();
});
