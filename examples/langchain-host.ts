// The part of LangChain and LangGraph that docs/guides/langchain.md and its tests need, as the
// hosts have it: they are too large to be installed for an example.
import { deserialize, serialize } from "node:v8";

export interface Generation {
  text: string;
  message?: Message;
  generationInfo?: Record<string, unknown>;
}

/** A message keeps the very objects that it is made of, as LangChain's do. */
export class Message {
  usage_metadata: object | undefined;
  readonly data: { content: unknown; tool_calls?: unknown[] };

  constructor(data: Message["data"]) {
    this.data = data;
  }

  toDict(): object {
    return { type: "ai", data: this.data };
  }
}

/** `@langchain/core/caches`. */
export const caches = {
  InMemoryCache: class InMemoryCache {
    static global(): InMemoryCache {
      return new InMemoryCache();
    }
    makeDefaultKeyEncoder(_encoder: (prompt: string, llmKey: string) => string): void {}
    async lookup(_prompt: string, _llmKey: string): Promise<Generation[] | null> {
      return null;
    }
    async update(_prompt: string, _llmKey: string, _value: Generation[]): Promise<void> {}
  },
  serializeGeneration: ({ text, message }: Generation): object =>
    message === undefined ? { text } : { text, message: message.toDict() },
  deserializeStoredGeneration: (stored: {
    text: string;
    message?: { data: Message["data"] };
  }): Generation =>
    stored.message === undefined
      ? { text: stored.text }
      : { text: stored.text, message: new Message(stored.message.data) },
};

type AnswerCache = InstanceType<typeof caches.InMemoryCache>;

/** A model, as far as it uses its cache: it marks what it takes from there, as LangChain does. */
export class ChatOpenAI {
  calls = 0;
  readonly #cache: AnswerCache;
  readonly #llmKey: string;

  constructor({ model, cache }: { model: string; cache: AnswerCache }) {
    this.#llmKey = JSON.stringify({ model });
    this.#cache = cache;
  }

  async invoke(prompt: string): Promise<string> {
    const found = await this.#cache.lookup(prompt, this.#llmKey);
    const [generation] = found ?? [{ text: "Paris", message: new Message({ content: "Paris" }) }];
    if (generation?.message === undefined) return "";
    if (found === null) {
      this.calls += 1;
      await this.#cache.update(prompt, this.#llmKey, [generation]);
    } else {
      generation.message.usage_metadata = { input_tokens: 0, output_tokens: 0, total_tokens: 0 };
      generation.generationInfo = { ...generation.generationInfo, tokenUsage: {} };
    }
    return generation.text;
  }
}

type FullKey = [namespace: string[], key: string];

/** `@langchain/langgraph-checkpoint`. */
export abstract class BaseCache<V = unknown> {
  serde = {
    dumpsTyped: async (value: unknown): Promise<[string, Uint8Array]> =>
      value instanceof Uint8Array ? ["bytes", value] : ["v8", serialize(value)],
    loadsTyped: async (type: string, bytes: Uint8Array | string): Promise<unknown> =>
      type === "bytes" ? bytes : deserialize(bytes as Uint8Array),
  };
  abstract get(keys: FullKey[]): Promise<{ key: FullKey; value: V }[]>;
  abstract set(pairs: { key: FullKey; value: V; ttl?: number }[]): Promise<void>;
  abstract clear(namespaces: string[][]): Promise<void>;
}
export const checkpoint = { BaseCache };
