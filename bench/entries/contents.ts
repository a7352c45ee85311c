// The entries of the memory benchmarks: three kinds of key and value, made from a number. Called by
// the measured processes; every subject gets the same entries.

import { type Profile, profileOf, seededRandom } from "../workload.js";

/** An entry by its number: the same key and an equal value at each call, always new objects. */
export interface Contents {
  key(id: number): string;
  value(id: number): unknown;
}

/** A key of 30 characters. */
export function agentKey(id: number): string {
  const hex = (Math.imul(id, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0");
  return `agent:${hex}:${id.toString().padStart(7, "0")}:profile`;
}

export function agentValue(id: number): Profile {
  return profileOf(id);
}

const words = "cache memory thread record segment index value reader writer entry disk batch".split(
  " ",
);

/** A document of 1 to 4 KiB as JSON: some fields and a list of rows of text. */
function documentOf(id: number): unknown {
  const random = seededRandom(id);
  const word = (): string => words[Math.floor(random() * words.length)] ?? "";
  const sentence = (length: number): string => Array.from({ length }, word).join(" ");
  return {
    id,
    title: sentence(6),
    author: { name: sentence(2), email: `${word()}.${id}@example.org` },
    published: new Date(1.7e12 + id * 1000).toISOString(),
    comments: Array.from({ length: 7 + Math.floor(random() * 24) }, (_, at) => ({
      by: `user-${Math.floor(random() * 1e6)}`,
      at: 1.7e12 + at,
      score: Math.floor(random() * 100),
      text: sentence(8),
    })),
  };
}

export const contents: Readonly<Record<string, Contents>> = {
  agent: { key: agentKey, value: agentValue },
  document: { key: (id) => `document:${id}`, value: documentOf },
  string: { key: (id) => `session:${id}`, value: (id) => `token-${id.toString(36)}-of-a-user` },
};
