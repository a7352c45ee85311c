import { describe, expect, test } from "vitest";

import { UndercroftError } from "../../dist/src/base/mod.js";
import { CacheSet, type MetricsSource, sourcesOf } from "../../dist/src/metrics/mod.js";
import { numberedStats } from "./numbered.js";

class Source implements MetricsSource {
  readonly name: string;
  isClosed = false;
  fault: Error | undefined;
  reads = 0;

  constructor(name: string) {
    this.name = name;
  }

  stats(): ReturnType<MetricsSource["stats"]> {
    if (this.fault !== undefined) throw this.fault;
    if (this.isClosed) throw new UndercroftError("ERR_CACHE_CLOSED", "closed");
    this.reads += 1;
    return numberedStats({ name: this.name });
  }
}

function namesIn(set: CacheSet): string[] {
  return set.read().map(({ labels }) => labels["cache"] ?? "");
}

describe("CacheSet", () => {
  test("reads one or several caches, each once", () => {
    const [one, two] = [new Source("one"), new Source("two")];
    const set = new CacheSet();
    expect(set.isEmpty).toBe(true);
    set.add(one);
    set.add(new Set([two, one]));
    expect(namesIn(set)).toEqual(["one", "two"]);
    set.remove([one]);
    expect(namesIn(set)).toEqual(["two"]);
    expect(set.isEmpty).toBe(false);
  });

  test("refuses two caches of one name, and keeps what it had", () => {
    const set = new CacheSet();
    set.add(new Source("one"));
    expect(() => {
      set.add([new Source("two"), new Source("one")]);
    }).toThrow('two caches named "one": each needs a name of its own');
    expect(namesIn(set)).toEqual(["one"]);
  });

  test("drops a cache that is closed, and takes the next of its name", () => {
    const set = new CacheSet();
    const [first, next] = [new Source("one"), new Source("one")];
    set.add([first, new Source("two")]);
    first.isClosed = true;
    expect(namesIn(set)).toEqual(["two"]);
    set.add(next);
    expect(namesIn(set)).toEqual(["two", "one"]);
    set.add(first);
    expect(namesIn(set)).toEqual(["two", "one"]);
  });

  test("lets any other error through", () => {
    const set = new CacheSet();
    const source = new Source("one");
    set.add(source);
    source.fault = new Error("no closed cache");
    expect(() => set.read()).toThrow(source.fault);
    source.fault = undefined;
    expect(namesIn(set)).toEqual(["one"]);
  });

  test("shares a reading within a turn, and takes a new one in the next", async () => {
    const set = new CacheSet();
    const source = new Source("one");
    set.add(source);
    source.reads = 0;
    expect(set.readShared()).toBe(set.readShared());
    expect(source.reads).toBe(1);
    await Promise.resolve();
    set.readShared();
    expect(source.reads).toBe(2);
    const two = new Source("two");
    set.add(two);
    expect(set.readShared()).toHaveLength(2);
    set.remove([two]);
    expect(set.readShared()).toHaveLength(1);
  });
});

describe("sourcesOf()", () => {
  test.each([
    [undefined, "undefined"],
    [null, "null"],
    ["users", '"users"'],
    [{ name: "users" }, "it must be a cache"],
    [[new Source("one"), 7], "7"],
    [{ stats: () => numberedStats() }, "it must be a cache"],
  ])("refuses %s", (caches, words) => {
    expect(() => sourcesOf(caches)).toThrow(TypeError);
    expect(() => sourcesOf(caches)).toThrow(words);
  });
});
