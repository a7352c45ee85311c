// The entry "undercroft/langchain": caches for LangChain's models and LangGraph's tasks.
export { answerCache, type AnswerCacheOptions, type LangChainCaches } from "./answer-cache.js";
export { type LangGraphCaches, taskCache } from "./task-cache.js";
