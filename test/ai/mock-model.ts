// The AI SDK's own mock of a model behind the middleware, what it answers, and how to read streams.
import { wrapLanguageModel } from "ai";
import { convertArrayToReadableStream, type MockLanguageModelV3 } from "ai/test";

import { cacheMiddleware, type CacheMiddlewareOptions } from "../../dist/src/ai/mod.js";
import { type Cache, type CacheOptions, ManualClock, openCache } from "../../dist/src/mod.js";

export type GenerateResult = Awaited<ReturnType<MockLanguageModelV3["doGenerate"]>>;
export type StreamResult = Awaited<ReturnType<MockLanguageModelV3["doStream"]>>;
export type StreamPart = StreamResult["stream"] extends ReadableStream<infer Part> ? Part : never;
export type CallOptions = Parameters<MockLanguageModelV3["doGenerate"]>[0];

export const timestamp = new Date("2026-03-01T10:00:00Z");
export const usage = {
  inputTokens: { total: 9, noCache: 9, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};
const stop = { unified: "stop", raw: "stop" } as const;

export const prompt = [
  { role: "user" as const, content: [{ type: "text" as const, text: "Hello" }] },
];

export const answer = (text: string): GenerateResult => ({
  content: [{ type: "text", text }],
  finishReason: stop,
  usage,
  response: { id: "r1", timestamp, modelId: "mock" },
  warnings: [],
});

export const parts: readonly StreamPart[] = [
  { type: "stream-start", warnings: [] },
  { type: "response-metadata", id: "r1", timestamp, modelId: "mock" },
  { type: "text-start", id: "1" },
  { type: "text-delta", id: "1", delta: "Par" },
  { type: "text-delta", id: "1", delta: "is" },
  { type: "text-end", id: "1" },
  { type: "finish", finishReason: stop, usage },
];

export const streamed = (all: readonly StreamPart[] = parts): StreamResult => ({
  stream: convertArrayToReadableStream([...all]),
  request: { body: '{"model":"mock"}' },
});

export async function readAll(stream: ReadableStream<StreamPart>): Promise<StreamPart[]> {
  const read: StreamPart[] = [];
  for await (const part of stream as unknown as AsyncIterable<StreamPart>) read.push(part);
  return read;
}

/** A cache whose time is a test's. */
export class TestCache {
  readonly clock = new ManualClock();
  cache!: Cache;

  async open(options: CacheOptions<unknown> = {}): Promise<void> {
    this.cache = await openCache({ clock: this.clock, memory: "8mb", ...options });
  }

  /** A mock of a model behind the middleware. */
  behind(
    inner: MockLanguageModelV3,
    options?: CacheMiddlewareOptions,
  ): ReturnType<typeof wrapLanguageModel> {
    return wrapLanguageModel({ model: inner, middleware: cacheMiddleware(this.cache, options) });
  }
}
