// keyv's own suite for stores, with keyv 5.
import keyvTestSuite, { keyvIteratorTests } from "@keyv/test-suite";
import Keyv from "keyv";
import * as vitest from "vitest";
import { type Cache, openCache } from "../../dist/src/mod.js";
import { keyvStore } from "../../dist/src/keyv/mod.js";

let cache: Cache;

vitest.beforeAll(async () => {
  cache = await openCache({ memory: "8mb" });
});
vitest.afterAll(() => cache.close());

const store = (): ReturnType<typeof keyvStore> => keyvStore(cache.namespace("suite"));

keyvTestSuite(vitest, Keyv, store);
keyvIteratorTests(vitest, Keyv, store);
