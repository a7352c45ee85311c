// bentocache's own suite for drivers. It is written for japa, of which it uses what stands here.
import { registerCacheDriverTestSuite } from "bentocache/test_suite";
import { afterAll, afterEach, assert, beforeAll, describe, test } from "vitest";
import { type Cache, openCache } from "../../dist/src/mod.js";
import { bentocacheDriver } from "../../dist/src/bentocache/mod.js";

type Undo = () => unknown;
interface Context {
  readonly assert: typeof assert;
  readonly cleanup: (undo: Undo) => void;
}

let cache: Cache;

const group = {
  setup: (set: () => Promise<Undo>): void => {
    let undo: Undo | undefined;
    beforeAll(async () => {
      undo = await set();
    });
    afterAll(() => undo?.());
  },
  each: { teardown: (undo: Undo): void => afterEach(() => undo()) },
  tap: (): void => {},
};

const define = { test };

function japaTest(title: string, run: (context: Context) => Promise<void>): void {
  define.test(title, async ({ onTestFinished }) => {
    await run({ assert, cleanup: (undo) => onTestFinished(() => void undo()) });
  });
}

beforeAll(async () => {
  cache = await openCache({ memory: "8mb" });
});
afterAll(() => cache.close());

describe.each([{ prefix: "japa" }, {}])("with options %o", (defaults) => {
  registerCacheDriverTestSuite({
    test: japaTest,
    group,
    createDriver: (options?: { readonly prefix?: string }) =>
      bentocacheDriver(cache.namespace("suite")).factory({ ...defaults, ...options }),
  } as unknown as Parameters<typeof registerCacheDriverTestSuite>[0]);
});
