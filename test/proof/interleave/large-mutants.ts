// Mutants of what keeps a value in chunks one entry. Called by mutant-table.ts.

import { entries, type Mutant, mutant } from "./mutant.js";

const values = "src/kernel/assembly/moves/chunked-values.ts";
const whole = "src/eviction/whole-value.ts";
const large = "src/memory/large-value.ts";

export const largeMutants: readonly Mutant[] = [
  mutant(
    "unfinished-is-dead",
    "eviction takes the chunks of a value that is being written for dead",
    values,
    ["if (isBeingWritten(id)) return at.answerWriting;", ""],
    "large-unfinished",
  ),
  mutant(
    "written-looked-late",
    "eviction looks whether a value is being written after it has looked for the head",
    values,
    [
      "return lookForHead();\n}\n\n/** As",
      "const answer = lookForHead();\n  return isChunk(flagsOf(record)) && isBeingWritten(load<u64>(value, at.valueId)) ? at.answerWriting : answer;\n}\n\n/** As",
    ],
    "large-unfinished",
  ),
  mutant(
    "write-of-the-dead",
    "recovery leaves the value that a dead thread was writing",
    "src/kernel/threads/thread-table.ts",
    [
      "Atomics.store(i32, wordOf(thread, at.threadLargeWrite), 0);\n  Atomics.store(i32, wordOf(thread, at.threadLargeWrite + 4), 0);",
      "",
    ],
    "large-writer-dies",
  ),
  mutant(
    "chunks-first",
    "eviction drops the chunks of a value before its head",
    whole,
    [
      "const answer = verbs.dropHead();",
      "for (let number = 0; number < chunks; number++) verbs.dropChunk(number, 0);\n    const answer = verbs.dropHead();",
    ],
    "large-evict",
    "large-kept",
  ),
  mutant(
    "head-first",
    "a writer publishes the head before the chunks",
    large,
    [
      "const chunkFields = fieldsOfChunks(fields);",
      "writer.write(key, headOf(large), { ...fields, flags: fields.flags | flagChunked });\n  const chunkFields = fieldsOfChunks(fields);",
    ],
    "large-overwrite",
  ),
  mutant(
    "replaced-stays",
    "an overwrite does not drop the chunks of what it replaced",
    entries,
    ["noteReplaced(hash, old);\n    } else {", "discount(old);\n    } else {"],
    "large-overwrite",
  ),
  mutant(
    "any-head",
    "a chunk is taken for one of whatever value its key has now",
    values,
    [
      "if (!isHead(flagsOf(record)) || load<u64>(valueOf(record), rec.headId) != id) continue;",
      "if (!isHead(flagsOf(record))) continue;",
    ],
    "large-writer-dies",
  ),
  mutant(
    "changed-head-taken",
    "eviction drops the head in the slot that it found, whichever is there now",
    values,
    [
      "if (sameButFrequency(headWord, load<u64>(block, at.resultSlotLow))) return slot;",
      "if (headWord != 0 && !isDisk(headWord)) return slot;",
    ],
    "large-evict",
    "large-kept",
  ),
];
