// Whole answers through the middleware: what the model is asked, what callers get, what is stored.
import { generateText } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import {
  answer,
  type CallOptions,
  type GenerateResult,
  parts,
  prompt,
  readAll,
  streamed,
  TestCache,
  timestamp,
} from "./mock-model.js";

const over = new TestCache();
const behind = over.behind.bind(over);

beforeEach(() => over.open());
afterEach(async () => {
  vi.restoreAllMocks();
  await over.cache.close();
});

/** A promise, and what settles it. */
function deferred<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((give, fail) => {
    resolve = give;
    reject = fail;
  });
  return { promise, resolve, reject };
}

test("the second call is answered from the cache, dates and all", async () => {
  const inner = new MockLanguageModelV3({ doGenerate: async () => answer("Paris") });
  const model = behind(inner);
  const first = await generateText({ model, prompt: "Capital of France?" });
  const second = await generateText({ model, prompt: "Capital of France?" });
  expect([first.text, second.text, inner.doGenerateCalls.length]).toEqual(["Paris", "Paris", 1]);
  expect(second.response.timestamp).toEqual(timestamp);
  expect(second.response.timestamp).toBeInstanceOf(Date);
  expect(second.usage).toEqual(first.usage);
});

test("each parameter and the model count; order and user-agent do not", async () => {
  const inner = new MockLanguageModelV3({ doGenerate: async () => answer("a") });
  const model = behind(inner);
  const calls: CallOptions[] = [
    { prompt },
    { prompt, temperature: 1 },
    { prompt, providerOptions: { openai: { store: true, user: "u" } } },
    { prompt, headers: { "x-tenant": "1" } },
    { prompt, headers: { "x-tenant": "2" } },
    { prompt, tools: [{ type: "function", name: "f", inputSchema: { type: "object" } }] },
  ];
  for (const call of calls) await model.doGenerate(call);
  expect(inner.doGenerateCalls).toHaveLength(calls.length);
  await model.doGenerate({ providerOptions: { openai: { user: "u", store: true } }, prompt });
  await model.doGenerate({ prompt, headers: { "User-Agent": "ai/6.0.0" } });
  await model.doGenerate({ prompt, abortSignal: new AbortController().signal });
  expect(inner.doGenerateCalls).toHaveLength(calls.length);
  const others = [{ modelId: "other" }, { provider: "other" }];
  for (const name of others) {
    const other = new MockLanguageModelV3({ ...name, doGenerate: async () => answer("b") });
    await behind(other).doGenerate({ prompt });
    expect(other.doGenerateCalls).toHaveLength(1);
  }
});

test("files in prompts count by their bytes, a Buffer as a Uint8Array", async () => {
  const inner = new MockLanguageModelV3({ doGenerate: async () => answer("a") });
  const model = behind(inner);
  const withFile = (data: Uint8Array | URL): CallOptions => ({
    prompt: [{ role: "user", content: [{ type: "file", mediaType: "image/png", data }] }],
  });
  await model.doGenerate(withFile(Uint8Array.of(1, 2)));
  await model.doGenerate(withFile(Buffer.from([1, 2])));
  expect(inner.doGenerateCalls).toHaveLength(1);
  await model.doGenerate(withFile(Uint8Array.of(1, 3)));
  await model.doGenerate(withFile(new URL("https://a.example/1.png")));
  await model.doGenerate(withFile(new URL("https://a.example/2.png")));
  expect(inner.doGenerateCalls).toHaveLength(4);
});

test("what a caller does to an answer, the next does not see", async () => {
  const inner = new MockLanguageModelV3({ doGenerate: async () => answer("a") });
  const model = behind(inner);
  const [first, joined] = await Promise.all([
    model.doGenerate({ prompt }),
    model.doGenerate({ prompt }),
  ]);
  first.content.length = 0;
  joined.response?.timestamp?.setTime(0);
  expect(await model.doGenerate({ prompt })).toEqual(answer("a"));
  (await model.doGenerate({ prompt })).content.length = 0;
  expect(await model.doGenerate({ prompt })).toEqual(answer("a"));
  expect(inner.doGenerateCalls).toHaveLength(1);
});

test("callers at once share one call, and one that aborts ends only its own wait", async () => {
  const { promise, resolve } = deferred<GenerateResult>();
  const inner = new MockLanguageModelV3({ doGenerate: () => promise });
  const model = behind(inner);
  const leaving = new AbortController();
  const first = model.doGenerate({ prompt, abortSignal: leaving.signal });
  const second = model.doGenerate({ prompt, abortSignal: new AbortController().signal });
  await vi.waitFor(() => {
    expect(inner.doGenerateCalls).toHaveLength(1);
  });
  leaving.abort(new Error("left"));
  await expect(first).rejects.toThrow("left");
  expect(inner.doGenerateCalls[0]?.abortSignal?.aborted).toBe(false);
  resolve(answer("shared"));
  expect(await second).toEqual(answer("shared"));
  expect(inner.doGenerateCalls).toHaveLength(1);
});

test("when all have aborted the model's call is aborted, and nothing is stored", async () => {
  const inner = new MockLanguageModelV3({
    doGenerate: ({ abortSignal }) =>
      new Promise((_, reject) => {
        abortSignal?.addEventListener("abort", () => reject(abortSignal.reason as Error));
      }),
  });
  const model = behind(inner);
  const leaving = new AbortController();
  const calls = [1, 2].map(() => model.doGenerate({ prompt, abortSignal: leaving.signal }));
  await vi.waitFor(() => {
    expect(inner.doGenerateCalls).toHaveLength(1);
  });
  leaving.abort(new Error("left"));
  for (const call of calls) await expect(call).rejects.toThrow("left");
  await vi.waitFor(() => {
    expect(inner.doGenerateCalls[0]?.abortSignal?.aborted).toBe(true);
  });
  expect(over.cache.stats().memory.entries).toBe(0);
});

test("an error reaches all as it is, and is not stored", async () => {
  const fault = new Error("429");
  const inner = new MockLanguageModelV3({ doGenerate: () => Promise.reject(fault) });
  const model = behind(inner);
  const calls = await Promise.allSettled([1, 2].map(() => model.doGenerate({ prompt })));
  expect(calls.map((call) => "reason" in call && call.reason === fault)).toEqual([true, true]);
  expect(inner.doGenerateCalls).toHaveLength(1);
  await expect(model.doGenerate({ prompt })).rejects.toBe(fault);
  expect(inner.doGenerateCalls).toHaveLength(2);
});

test("an answer that says that it failed is passed on and not stored", async () => {
  const failed = { ...answer(""), finishReason: { unified: "error", raw: "500" } as const };
  const inner = new MockLanguageModelV3({ doGenerate: async () => failed });
  await over.cache.close();
  await over.open({ negativeTtl: "1h" });
  const model = behind(inner);
  const both = await Promise.all([1, 2].map(() => model.doGenerate({ prompt })));
  expect(both).toEqual([failed, failed]);
  const before = inner.doGenerateCalls.length;
  expect(await model.doGenerate({ prompt })).toEqual(failed);
  expect(inner.doGenerateCalls).toHaveLength(before + 1);
});

test("an answer that is no data is passed on, and told once", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  const body = { read: () => 1 };
  const odd = { ...answer("a"), response: { body } };
  const inner = new MockLanguageModelV3({ doGenerate: async () => odd });
  const model = behind(inner);
  for (let call = 0; call < 2; call++) {
    expect((await model.doGenerate({ prompt })).response?.body).toBe(body);
  }
  expect(inner.doGenerateCalls).toHaveLength(2);
  expect(warn).toHaveBeenCalledOnce();
  expect(warn.mock.calls[0]?.[0]).toContain("undercroft/ai");
});

test("an answer that the cache finds too large is passed on, and counted", async () => {
  const large = answer("x".repeat(4 << 20));
  const inner = new MockLanguageModelV3({ doGenerate: async () => large });
  expect(await behind(inner).doGenerate({ prompt })).toEqual(large);
  expect(over.cache.stats().sets.tooLarge).toBe(1);
});

test("an answer that the cache's own codec refuses is passed on, and told once", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  const refuse = (): never => {
    throw new Error("refused");
  };
  await over.cache.close();
  await over.open({ codec: { name: "none", encode: refuse, decode: refuse } });
  const inner = new MockLanguageModelV3({
    doGenerate: async () => answer("a"),
    doStream: async () => streamed(),
  });
  const model = behind(inner);
  for (let call = 1; call <= 2; call++) {
    expect(await model.doGenerate({ prompt })).toEqual(answer("a"));
    expect(await readAll((await model.doStream({ prompt })).stream)).toEqual(parts);
    expect([inner.doGenerateCalls.length, inner.doStreamCalls.length]).toEqual([call, call]);
  }
  expect(warn).toHaveBeenCalledOnce();
});

test("parameters that are no data reject with a TypeError that names them", async () => {
  const inner = new MockLanguageModelV3({ doGenerate: async () => answer("a") });
  const bad = { prompt, providerOptions: { a: { f: () => 1 } } } as unknown as CallOptions;
  await expect(behind(inner).doGenerate(bad)).rejects.toThrow(/\["providerOptions"\]\["a"\]/);
  expect(inner.doGenerateCalls).toHaveLength(0);
});
