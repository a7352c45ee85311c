// Scenarios of a disk that shrinks and grows again. Called by scenarios.ts.

import { each, type Scenario } from "./scenario.js";

export const resizedScenarios: readonly Scenario[] = [
  {
    name: "file-replaced",
    races: "R15",
    about:
      "a record dies in a file whose number was another file's when its thread opened that; and " +
      "what lives moves while it is deleted and read",
    world: { threads: 4, diskSegments: 4 },
    keys: ["a", "b"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.set("b");
      yield* opener.seal();
      yield* opener.flush();
      yield* opener.evict();
    },
    scripts: each(
      function* (janitor) {
        yield* janitor.replaceFile(0);
        yield* janitor.set("a");
        yield* janitor.seal();
        yield* janitor.flush();
      },
      function* (deleter) {
        yield* deleter.delete("b");
        yield* deleter.delete("a");
      },
      (reader) => reader.get("a"),
    ),
  },
];
