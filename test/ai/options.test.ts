// Options of the middleware, and the middleware as a part of what users build.
import { generateText, stepCountIs, tool, wrapLanguageModel } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";

import { cacheMiddleware } from "../../dist/src/ai/mod.js";
import { answer, type GenerateResult, prompt, readAll, streamed, TestCache } from "./mock-model.js";

const over = new TestCache();
const behind = over.behind.bind(over);

beforeEach(() => over.open());
afterEach(async () => {
  vi.restoreAllMocks();
  await over.cache.close();
});

test("ttl and tags end an answer", async () => {
  const inner = new MockLanguageModelV3({
    doGenerate: async () => answer("a"),
    doStream: async () => streamed(),
  });
  const model = behind(inner, { ttl: "1m", tags: ({ modelId }) => [`model:${modelId}`] });
  const askBoth = async (): Promise<number> => {
    await model.doGenerate({ prompt });
    await readAll((await model.doStream({ prompt })).stream);
    return inner.doGenerateCalls.length + inner.doStreamCalls.length;
  };
  expect([await askBoth(), await askBoth()]).toEqual([2, 2]);
  over.clock.advance(60_000);
  expect([await askBoth(), await askBoth()]).toEqual([4, 4]);
  over.cache.deleteByTag("model:mock-model-id");
  expect([await askBoth(), await askBoth()]).toEqual([6, 6]);
});

test("key names a call, and undefined passes it by", async () => {
  const inner = new MockLanguageModelV3({
    doGenerate: async () => answer("a"),
    doStream: async () => streamed(),
  });
  const model = behind(inner, {
    key: ({ params }) => (params["temperature"] === 0 ? params["prompt"] : undefined),
  });
  await model.doGenerate({ prompt, temperature: 0, seed: 1 });
  await model.doGenerate({ prompt, temperature: 0, seed: 2 });
  expect(inner.doGenerateCalls).toHaveLength(1);
  for (let call = 0; call < 2; call++) {
    await model.doGenerate({ prompt, temperature: 1 });
    await readAll((await model.doStream({ prompt, temperature: 1 })).stream);
  }
  expect([inner.doGenerateCalls.length, inner.doStreamCalls.length]).toEqual([3, 2]);
});

test("a namespace is a cache of its own, and other middleware may stand beside", async () => {
  const inner = new MockLanguageModelV3({ doGenerate: async () => answer("a") });
  for (const name of ["one", "two"]) {
    const space = over.cache.namespace(name);
    const model = wrapLanguageModel({
      model: inner,
      middleware: [cacheMiddleware(space), { specificationVersion: "v3" }],
    });
    await model.doGenerate({ prompt });
    await model.doGenerate({ prompt });
  }
  expect(inner.doGenerateCalls).toHaveLength(2);
});

test("what is no cache, and unknown options, are refused", () => {
  expect(() => cacheMiddleware(new Map() as never)).toThrow(TypeError);
  expect(() => cacheMiddleware(undefined as never)).toThrow(/openCache/);
  expect(() => cacheMiddleware(over.cache, { ttlMs: 1 } as never)).toThrow(RangeError);
});

test("an agent's steps are each answered from the cache when it runs again", async () => {
  const steps: GenerateResult[] = [
    {
      ...answer(""),
      content: [{ type: "tool-call", toolCallId: "c1", toolName: "add", input: '{"a":1,"b":2}' }],
      finishReason: { unified: "tool-calls", raw: "tool_calls" },
    },
    answer("3"),
  ];
  const inner = new MockLanguageModelV3({
    doGenerate: async ({ prompt: asked }) => steps[asked.length === 1 ? 0 : 1] as GenerateResult,
  });
  const add = tool({
    inputSchema: z.object({ a: z.number(), b: z.number() }),
    execute: async ({ a, b }) => a + b,
  });
  for (let run = 0; run < 2; run++) {
    const { text } = await generateText({
      model: behind(inner),
      prompt: "1 + 2",
      tools: { add },
      stopWhen: stepCountIs(3),
    });
    expect(text).toBe("3");
  }
  expect(inner.doGenerateCalls).toHaveLength(2);
});
