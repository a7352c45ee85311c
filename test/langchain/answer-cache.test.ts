// The cache of LangChain's models, by the contract of its BaseCache.
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import {
  type Generation,
  caches,
  ChatOpenAI,
  Message,
} from "../../dist/examples/langchain-host.js";
import { answerCache, type AnswerCacheOptions } from "../../dist/src/langchain/mod.js";
import { type Cache, ManualClock, openCache } from "../../dist/src/mod.js";

const clock = new ManualClock();
let cache: Cache;

beforeEach(async () => {
  cache = await openCache({ clock, memory: "8mb" });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await cache.close();
});

const answersOf = (options?: AnswerCacheOptions): InstanceType<(typeof caches)["InMemoryCache"]> =>
  answerCache(cache, caches, options);

const data = { content: [{ type: "text", text: "a" }], tool_calls: [{ id: "1", args: { a: 1 } }] };
const generation = (): Generation => ({
  text: "a",
  message: new Message(structuredClone(data)),
  generationInfo: { finish_reason: "stop" },
});

test("an answer comes back as messages of the host, with its generationInfo", async () => {
  const answers = answersOf();
  expect(answers).toBeInstanceOf(caches.InMemoryCache);
  expect(await answers.lookup("p", "m")).toBeNull();
  await answers.update("p", "m", [generation(), { text: "plain" }]);
  const [first, second] = (await answers.lookup("p", "m")) ?? [];
  expect(first).toEqual(generation());
  expect(first?.message).toBeInstanceOf(Message);
  expect(second).toEqual({ text: "plain" });
});

test("a model asks once, however it marks what it is given", async () => {
  const model = new ChatOpenAI({ model: "gpt-5", cache: answersOf() });
  for (let call = 0; call < 3; call++) expect(await model.invoke("?")).toBe("Paris");
  expect(model.calls).toBe(1);
});

test("what a caller does to an answer, or to what it stored, the next does not see", async () => {
  const answers = answersOf();
  const own = generation();
  await answers.update("p", "m", [own]);
  const spoil = ({ message, generationInfo }: Generation): void => {
    const [call] = (message?.data.tool_calls ?? []) as { args: { a: number } }[];
    if (call !== undefined) call.args.a = 2;
    if (generationInfo !== undefined) generationInfo["finish_reason"] = "changed";
  };
  spoil(own);
  for (let call = 0; call < 3; call++) {
    const [found] = (await answers.lookup("p", "m")) ?? [];
    expect(found).toEqual(generation());
    if (found !== undefined) spoil(found);
  }
});

test("prompt and model are told apart, however they are cut", async () => {
  const answers = answersOf();
  await answers.update("a_b", "c", [{ text: "1" }]);
  await answers.update("a", "b_c", [{ text: "2" }]);
  expect(await answers.lookup("a_b", "c")).toEqual([{ text: "1" }]);
  expect(await answers.lookup("a", "b_c")).toEqual([{ text: "2" }]);
});

test("an encoder of the caller's own names the key, however long", async () => {
  const answers = answersOf();
  answers.makeDefaultKeyEncoder((prompt) => prompt);
  const prompt = "x".repeat(100_000);
  await answers.update(prompt, "m", [{ text: "1" }]);
  expect(await answers.lookup(prompt, "other")).toEqual([{ text: "1" }]);
});

test("ttl and tags end an answer", async () => {
  const answers = answersOf({ ttl: "1m", tags: ["llm"] });
  await answers.update("p", "m", [{ text: "1" }]);
  clock.advance(59_999);
  expect(await answers.lookup("p", "m")).not.toBeNull();
  clock.advance(1);
  expect(await answers.lookup("p", "m")).toBeNull();
  await answers.update("p", "m", [{ text: "1" }]);
  cache.deleteByTag("llm");
  expect(await answers.lookup("p", "m")).toBeNull();
});

test("what is no data, too large or refused is not stored, and the call goes on", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  const answers = answersOf();
  const odd = { text: "", generationInfo: { call: () => 1 } };
  await answers.update("p", "m", [odd]);
  await answers.update("p", "m", [odd]);
  expect(warn).toHaveBeenCalledOnce();
  await answers.update("p", "m", [{ text: "x".repeat(4 << 20) }]);
  expect(await answers.lookup("p", "m")).toBeNull();
  expect(cache.stats().sets.tooLarge).toBe(1);
  const encode = (): never => {
    throw new Error("refused");
  };
  const refusing = await openCache({ codec: { name: "none", encode, decode: encode } });
  await answerCache(refusing, caches).update("p", "m", [{ text: "1" }]);
  expect(warn).toHaveBeenCalledTimes(2);
  await refusing.close();
  await expect(answerCache(refusing, caches).update("p", "m", [])).rejects.toMatchObject({
    code: "ERR_CACHE_CLOSED",
  });
});

test("what is no cache or no module, and unknown options, are refused", () => {
  expect(() => answerCache({} as never, caches)).toThrow(/openCache/);
  expect(() => answerCache(cache, {} as never)).toThrow(/@langchain\/core\/caches/);
  expect(() => answerCache(cache, caches, { ttlMs: 1 } as never)).toThrow(RangeError);
});
