// Streams through the middleware: what is asked of the model, what callers get, what is stored.
import { streamText } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import {
  answer,
  parts,
  prompt,
  readAll,
  streamed,
  type StreamPart,
  type StreamResult,
  TestCache,
  usage,
} from "./mock-model.js";

const over = new TestCache();
const behind = over.behind.bind(over);

beforeEach(() => over.open());
afterEach(async () => {
  vi.restoreAllMocks();
  await over.cache.close();
});

test("are replayed part by part, dates and all, by a fresh stream for each call", async () => {
  const inner = new MockLanguageModelV3({ doStream: async () => streamed() });
  const model = behind(inner);
  const live = await model.doStream({ prompt });
  expect(live.request).toEqual({ body: '{"model":"mock"}' });
  expect(await readAll(live.stream)).toEqual(parts);
  for (let call = 0; call < 2; call++) {
    const again = await model.doStream({ prompt });
    expect(again.request).toEqual({ body: '{"model":"mock"}' });
    const read = await readAll(again.stream);
    expect(read).toEqual(parts);
    const [, metadata] = read;
    expect(metadata && "timestamp" in metadata && metadata.timestamp).toBeInstanceOf(Date);
    if (metadata !== undefined && "timestamp" in metadata) metadata.timestamp?.setTime(0);
  }
  expect(inner.doStreamCalls).toHaveLength(1);
});

test("streamText gets the same text and usage", async () => {
  const inner = new MockLanguageModelV3({ doStream: async () => streamed() });
  const model = behind(inner);
  const results = [];
  for (let call = 0; call < 2; call++) {
    const result = streamText({ model, prompt: "Capital of France?" });
    const deltas: string[] = [];
    for await (const delta of result.textStream) deltas.push(delta);
    results.push({ deltas, usage: await result.usage, at: (await result.response).timestamp });
  }
  expect(results[0]?.deltas).toEqual(["Par", "is"]);
  expect(results[1]).toEqual(results[0]);
  expect(inner.doStreamCalls).toHaveLength(1);
});

test("a whole answer is not taken for a stream, nor the other way round", async () => {
  const inner = new MockLanguageModelV3({
    doGenerate: async () => answer("a"),
    doStream: async () => streamed(),
  });
  const model = behind(inner);
  await readAll((await model.doStream({ prompt })).stream);
  await model.doGenerate({ prompt });
  expect([inner.doStreamCalls.length, inner.doGenerateCalls.length]).toEqual([1, 1]);
});

test.each<[string, StreamPart[]]>([
  ["has an error", [...parts.slice(0, 4), { type: "error", error: new Error("cut") }, ...parts]],
  ["has no end", parts.slice(0, -1)],
  [
    "ends as failed",
    [
      ...parts.slice(0, -1),
      { type: "finish", finishReason: { unified: "error", raw: "x" }, usage },
    ],
  ],
])("one that %s is passed on and not stored", async (_, cut) => {
  const inner = new MockLanguageModelV3({ doStream: async () => streamed(cut) });
  const model = behind(inner);
  for (let call = 1; call <= 2; call++) {
    expect(await readAll((await model.doStream({ prompt })).stream)).toEqual(cut);
    expect(inner.doStreamCalls).toHaveLength(call);
  }
  expect(over.cache.stats().memory.entries).toBe(0);
});

test("one that breaks is not stored, and its reader gets the error", async () => {
  const broken = (): StreamResult => {
    const rest = parts.slice(0, 4).values();
    return {
      stream: new ReadableStream<StreamPart>({
        pull(controller) {
          const { done, value } = rest.next();
          if (done === true) controller.error(new Error("reset"));
          else controller.enqueue(value);
        },
      }),
    };
  };
  const inner = new MockLanguageModelV3({ doStream: async () => broken() });
  const model = behind(inner);
  for (let call = 1; call <= 2; call++) {
    await expect(readAll((await model.doStream({ prompt })).stream)).rejects.toThrow("reset");
    expect(inner.doStreamCalls).toHaveLength(call);
  }
  expect(over.cache.stats().memory.entries).toBe(0);
});

test("one that its reader leaves is cancelled at the model and not stored", async () => {
  const cancelled = vi.fn<(reason: unknown) => void>();
  const endless = (): StreamResult => ({
    stream: new ReadableStream<StreamPart>({
      pull: (controller) => controller.enqueue({ type: "text-delta", id: "1", delta: "a" }),
      cancel: cancelled,
    }),
  });
  const inner = new MockLanguageModelV3({ doStream: async () => endless() });
  const { stream } = await behind(inner).doStream({ prompt });
  const reader = stream.getReader();
  await reader.read();
  await reader.cancel("enough");
  expect(cancelled).toHaveBeenCalledExactlyOnceWith("enough");
  expect(over.cache.stats().memory.entries).toBe(0);
});

test("one that ends in good order for a caller who had aborted is not stored", async () => {
  const inner = new MockLanguageModelV3({ doStream: async () => streamed() });
  const leaving = new AbortController();
  const { stream } = await behind(inner).doStream({ prompt, abortSignal: leaving.signal });
  leaving.abort();
  await readAll(stream);
  expect(over.cache.stats().memory.entries).toBe(0);
});

test("one that was invalidated, cleared or deleted while it ran is not stored", async () => {
  const endings: (() => void)[] = [() => over.cache.deleteByTag("t"), () => over.cache.clear()];
  for (const end of endings) {
    const inner = new MockLanguageModelV3({ doStream: async () => streamed() });
    const model = behind(inner, { tags: ["t"] });
    const { stream } = await model.doStream({ prompt });
    const reader = stream.getReader();
    await reader.read();
    end();
    reader.releaseLock();
    await readAll(stream);
    await readAll((await model.doStream({ prompt })).stream);
    expect(inner.doStreamCalls).toHaveLength(2);
    over.cache.clear();
  }
});

test("of two at once the one that began last is stored", async () => {
  let begun = 0;
  const inner = new MockLanguageModelV3({
    doStream: async () => {
      const id = String((begun += 1));
      return streamed(parts.map((part) => ("delta" in part ? { ...part, delta: id } : part)));
    },
  });
  const model = behind(inner);
  const first = await model.doStream({ prompt });
  const second = await model.doStream({ prompt });
  await readAll(second.stream);
  await readAll(first.stream);
  const kept = await readAll((await model.doStream({ prompt })).stream);
  expect(kept.map((part) => ("delta" in part ? part.delta : ""))).toContain("2");
  expect(begun).toBe(2);
});

test("many in the same moment all run to their end", async () => {
  const inner = new MockLanguageModelV3({ doStream: async () => streamed() });
  const model = behind(inner);
  const all = await Promise.all(
    Array.from({ length: 20 }, async () => readAll((await model.doStream({ prompt })).stream)),
  );
  expect(all).toEqual(Array.from({ length: 20 }, () => parts));
  await readAll((await model.doStream({ prompt })).stream);
  expect(inner.doStreamCalls).toHaveLength(20);
});

test("of two in the same moment neither waits for the other's reader", async () => {
  const inner = new MockLanguageModelV3({ doStream: async () => streamed() });
  const model = behind(inner);
  const [first, second] = await Promise.all([
    model.doStream({ prompt }),
    model.doStream({ prompt }),
  ]);
  expect(await readAll(second.stream)).toEqual(parts);
  expect(await readAll(first.stream)).toEqual(parts);
});

test("one whose call fails rejects with the error and leaves no load behind", async () => {
  const fault = new Error("503");
  const inner = new MockLanguageModelV3({ doStream: () => Promise.reject(fault) });
  const model = behind(inner);
  for (let call = 1; call <= 2; call++) {
    await expect(model.doStream({ prompt })).rejects.toBe(fault);
    expect(inner.doStreamCalls).toHaveLength(call);
  }
  expect(over.cache.stats().loads).toBe(2);
});

test("one that is too long is passed on, and told once", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  const delta = "x".repeat(1 << 20);
  const long = parts.toSpliced(
    3,
    2,
    ...Array.from({ length: 17 }, () => ({ type: "text-delta" as const, id: "1", delta })),
  );
  const inner = new MockLanguageModelV3({ doStream: async () => streamed(long) });
  const model = behind(inner);
  for (let call = 1; call <= 2; call++) {
    expect(await readAll((await model.doStream({ prompt })).stream)).toHaveLength(long.length);
    expect(inner.doStreamCalls).toHaveLength(call);
  }
  expect(warn).toHaveBeenCalledOnce();
  expect(warn.mock.calls[0]?.[0]).toContain("16777216 bytes");
});
