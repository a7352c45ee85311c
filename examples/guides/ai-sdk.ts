// The middleware of undercroft/ai: docs/guides/ai-sdk.md. The model is the AI SDK's own mock, so
// that the example runs without a key.
import { convertArrayToReadableStream, MockLanguageModelV3 } from "ai/test";

const usage = {
  inputTokens: { total: 9, noCache: 9, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};
const end = { finishReason: { unified: "stop" as const, raw: "stop" }, usage };
const openai = (modelId: string): MockLanguageModelV3 =>
  new MockLanguageModelV3({
    modelId,
    doGenerate: async () => ({ content: [{ type: "text", text: "Paris" }], ...end, warnings: [] }),
    doStream: async () => ({
      stream: convertArrayToReadableStream([
        { type: "text-start" as const, id: "1" },
        { type: "text-delta" as const, id: "1", delta: "Pa" },
        { type: "text-delta" as const, id: "1", delta: "ris" },
        { type: "text-end" as const, id: "1" },
        { type: "finish" as const, ...end },
      ]),
    }),
  });

// import { openai } from "@ai-sdk/openai";
import { generateText, streamText, wrapLanguageModel } from "ai";
import { openCache } from "undercroft";
import { cacheMiddleware } from "undercroft/ai";

const cache = await openCache({ memory: "64mb" });
const answers = cache.namespace("llm", { ttl: "7d" });
const model = wrapLanguageModel({ model: openai("gpt-5"), middleware: cacheMiddleware(answers) });

const prompt = "The capital of France?";
const first = await generateText({ model, prompt });
const again = await generateText({ model, prompt }); // from the cache
console.log(first.text, again.text, cache.stats().loads); // Paris Paris 1

const ask = async (): Promise<string[]> => {
  const deltas: string[] = [];
  for await (const delta of streamText({ model, prompt }).textStream) deltas.push(delta);
  return deltas;
};
console.log(await ask(), await ask(), cache.stats().loads); // [ 'Pa', 'ris' ] [ 'Pa', 'ris' ] 2

const careful = cacheMiddleware(answers, {
  ttl: "1h",
  tags: ({ modelId }) => [`model:${modelId}`], // cache.deleteByTag("model:gpt-5") when it changes
  key: (call) => (call.params["temperature"] === 0 ? call : undefined), // no others
});
console.log(Object.keys(careful).length); // 3
await cache.close();
