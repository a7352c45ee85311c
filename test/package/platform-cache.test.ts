// A whole cache of namespaces as a service writes it, compiled as a project of a user.
import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { consumerFaults } from "./consumers.js";

// It compiles Node's declarations anew, which takes a busy machine long.
vi.setConfig({ testTimeout: 300_000 });

const consumer = { file: "a.mts", module: "nodenext", moduleResolution: "nodenext" };
const fixture = readFileSync(new URL("./platform-cache.ts", import.meta.url), "utf8");

test("an agent platform's cache compiles as its team would write it", () => {
  expect(consumerFaults(consumer, fixture)).toEqual([]);
});

test("what does not fit the kind of a namespace is refused", () => {
  const wrong = fixture
    .replace("agents.getOrFetch({ user, type })", "agents.getOrFetch({ user })")
    .replace("revision: (block) => block.revision", "revision: (block) => block.blockValue")
    .replace("isValid: (agent, { key }) => agent.", "isValid: (agent, { key }) => agent.id.");
  expect(
    consumerFaults(consumer, wrong)
      .map((fault) => fault.slice(0, 6))
      .toSorted(),
  ).toEqual(["TS2322", "TS2339", "TS2345"]);
});
