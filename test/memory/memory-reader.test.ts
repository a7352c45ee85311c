import { describe, expect, test } from "vitest";

import * as at from "../../dist/src/kernel/layout.js";
import type { KernelVerbs } from "../../dist/src/kernel/mod.js";
import { find, OpenedStore, openStore, read, write } from "./opened-store.js";

describe("a record that changes while it is copied", () => {
  /** A store whose kernel runs `meanwhile` before each check of a copy, as another thread might. */
  function disturbed(meanwhile: () => void): OpenedStore {
    const store = openStore();
    const verbs: KernelVerbs = {
      ...store.kernel.verbs,
      validate: (slot, low, high) => {
        meanwhile();
        return store.kernel.verbs.validate(slot, low, high);
      },
    };
    const kernel = new Proxy(store.kernel, {
      get: (target, name) => (name === "verbs" ? verbs : Reflect.get(target, name, target)),
    });
    return new OpenedStore(kernel);
  }

  test("is looked up again", () => {
    let writes = 0;
    const store: OpenedStore = disturbed(() => {
      if (writes >= 3) return;
      writes += 1;
      write(other, "a", `version ${writes}`);
    });
    const other = new OpenedStore(store.kernel);
    write(other, "a", "version 0");
    expect(read(store, "a")).toBe("version 3");
    expect(writes).toBe(3);
  });

  test("is a miss if it is removed, or changes every time", () => {
    let change = (): void => void other.writer.remove("a");
    const store: OpenedStore = disturbed(() => {
      change();
    });
    const other = new OpenedStore(store.kernel);
    write(other, "a", "1");
    expect(find(store, "a")).toBe("none");
    let writes = 0;
    change = () => {
      writes += 1;
      write(other, "a", String(writes));
    };
    write(other, "a", "0");
    expect(find(store, "a")).toBe("none");
    expect(writes).toBe(at.readRetriesMax);
  });
});

test("find() counts hits for eviction only with touch", () => {
  const store = openStore();
  write(store, "a", "1");
  const { results, verbs } = store.kernel;
  store.reader.find("a", true);
  store.reader.find("a", false);
  expect(verbs.frequencyOfRecord(results.record)).toBe(1);
});
