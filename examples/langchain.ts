// The caches of undercroft/langchain: docs/guides/langchain.md. What is imported of LangChain here
// is a part of it, so that the example runs without it.
import { caches, ChatOpenAI, checkpoint } from "./langchain-host.js";

// import * as caches from "@langchain/core/caches";
// import * as checkpoint from "@langchain/langgraph-checkpoint";
// import { ChatOpenAI } from "@langchain/openai";
import { openCache } from "undercroft";
import { answerCache, taskCache } from "undercroft/langchain";

const cache = await openCache({ memory: "64mb" });
const answers = answerCache(cache.namespace("llm", { ttl: "7d" }), caches);
const model = new ChatOpenAI({ model: "gpt-5", cache: answers });

await model.invoke("The capital of France?");
console.log(await model.invoke("The capital of France?"), model.calls); // Paris 1

const tasks = taskCache(cache.namespace("tasks"), checkpoint); // graph.compile({ cache: tasks })
await tasks.set([{ key: [["research"], "q1"], value: ["a", "b"], ttl: 60 }]); // seconds
console.log((await tasks.get([[["research"], "q1"]])).length); // 1
await tasks.clear([["research"]]);
console.log((await tasks.get([[["research"], "q1"]])).length); // 0
await cache.close();
