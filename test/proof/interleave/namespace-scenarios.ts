// Scenarios of namespaces: one key in two key spaces, and the clear of one of them. Called by
// scenarios.ts. An actor's `named` has the keys of namespace 1; the history knows them by another
// name.

import { each, type Scenario } from "./scenario.js";

/** A key that in the cache's own key space and in namespace 1 has one home and one fingerprint, so
 *  that only the comparison of the namespace tells its two entries apart. */
const twin = "n127878";
export const namespaceScenarios: readonly Scenario[] = [
  {
    name: "namespace-twins",
    races: "R13",
    about: "one key in two key spaces is set, deleted and read in both",
    world: { threads: 3 },
    keys: [twin],
    bound: 2,
    *setUp(opener) {
      yield* opener.set(twin);
      yield* opener.named.set(twin);
    },
    scripts: each(
      function* (one) {
        yield* one.named.set(twin);
        yield* one.get(twin);
        yield* one.named.get(twin);
      },
      function* (two) {
        yield* two.delete(twin);
        yield* two.named.get(twin);
        yield* two.set(twin);
      },
    ),
  },
  {
    name: "namespace-clear",
    races: "R4 R12",
    about: "a namespace is cleared; what others have stays, and what it has is absent",
    world: { threads: 3 },
    keys: [twin],
    clears: true,
    bound: 2,
    *setUp(opener) {
      yield* opener.set(twin);
      yield* opener.named.set(twin);
    },
    scripts: each(
      function* (clearer) {
        yield* clearer.named.clear([twin]);
        yield* clearer.named.get(twin);
        yield* clearer.getPresent(twin);
      },
      function* (other) {
        yield* other.named.get(twin);
        yield* other.named.set(twin);
        yield* other.named.get(twin);
        yield* other.getPresent(twin);
      },
    ),
  },
  {
    name: "namespace-clear-fill",
    races: "R4",
    about: "a load for a namespace and a clear of it",
    world: { threads: 3 },
    keys: [],
    clears: true,
    bound: 3,
    scripts: each(
      (filler) => filler.named.fill(twin),
      function* (clearer) {
        yield* clearer.named.clear([twin]);
        yield* clearer.named.get(twin);
      },
    ),
  },
  {
    name: "namespace-reclaim",
    races: "R1 R9",
    about: "segments are emptied that hold one key of two key spaces, one of which was cleared",
    world: { threads: 3, segments: 3, segmentBytes: 512 },
    keys: [twin],
    clears: true,
    bound: 2,
    *setUp(opener) {
      yield* opener.set(twin);
      yield* opener.named.set(twin);
      yield* opener.seal();
      yield* opener.set("c");
      yield* opener.seal();
    },
    scripts: each(
      function* (clearer) {
        yield* clearer.named.clear([twin]);
        yield* clearer.named.set(twin);
        yield* clearer.named.get(twin);
      },
      function* (writer) {
        yield* writer.set("b");
        yield* writer.get(twin);
        yield* writer.named.get(twin);
      },
    ),
  },
];
