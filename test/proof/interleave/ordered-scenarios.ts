// Scenarios of writes that depend on what is there: updates, of which none may be lost; writes with
// a revision, of which the newest stays; guarded writes, around which nothing stale may be found.
// Called by scenarios.ts.

import type { Actor } from "./actor.js";
import { deletesAndGets, each, getsTwice, type Scenario, setsAndGets } from "./scenario.js";
import { deleteInOrder, setInOrder, Source, update, updateToNothing } from "./source-work.js";
import { type Coroutine, until } from "./suspension.js";

function* setsOne(opener: Actor): Coroutine {
  yield* opener.set("a");
}

function* updates(actor: Actor): Coroutine {
  yield* update(actor, "a");
  yield* actor.get("a");
}

/** Threads around one source, and one that looks when all the others are done. */
function around(
  ...scripts: readonly ((actor: Actor, source: Source) => Coroutine)[]
): Scenario["scripts"] {
  return (actors) => {
    const source = new Source();
    let left = scripts.length;
    const all = scripts.map(
      (script) =>
        function* (actor: Actor): Coroutine {
          yield* script(actor, source);
          left -= 1;
        },
    );
    return each(...all, function* (last) {
      yield* until(() => left === 0);
      yield* source.get(last, "a");
    })(actors);
  };
}

function* writesToSource(actor: Actor, source: Source): Coroutine {
  yield* source.write(actor, "a");
  yield* source.get(actor, "a");
}

function* getsOfSource(actor: Actor, source: Source): Coroutine {
  yield* source.get(actor, "a");
  yield* source.get(actor, "a");
}

function* fillsFromSource(actor: Actor, source: Source): Coroutine {
  yield* actor.fill("a", "", 0, source.read());
}

function* loadsFromSource(actor: Actor, source: Source): Coroutine {
  yield* actor.load("a", false, source.read());
  yield* source.get(actor, "a");
}

const updateScenarios: readonly Scenario[] = [
  {
    name: "update-update",
    races: "R17",
    about: "two threads update one key twice each",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    setUp: setsOne,
    scripts: each(
      function* (one) {
        yield* update(one, "a");
        yield* updates(one);
      },
      function* (two) {
        yield* update(two, "a");
        yield* updates(two);
      },
    ),
  },
  {
    name: "update-set",
    races: "R17",
    about: "an update, a set and a reader",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    setUp: setsOne,
    scripts: each(updates, setsAndGets, getsTwice),
  },
  {
    name: "update-delete",
    races: "R17",
    about: "an update, one that answers nothing, and a delete",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    setUp: setsOne,
    scripts: each(updates, (nothing) => updateToNothing(nothing, "a"), deletesAndGets),
  },
  {
    name: "update-evict",
    races: "R3 R17",
    about: "updates of a key whose record is moved, then evicted",
    world: { threads: 3 },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.get("a");
      yield* opener.seal();
    },
    scripts: each(
      function* (updater) {
        yield* update(updater, "a");
        yield* updates(updater);
      },
      function* (janitor) {
        yield* janitor.evict();
        yield* janitor.seal();
        yield* janitor.evict();
      },
    ),
  },
  {
    name: "update-demote",
    races: "R5 R17",
    about: "an update of a key that is flushed and demoted, and a reader that may promote it",
    world: { threads: 4, diskSegments: 4 },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.set("a");
      yield* opener.seal();
      yield* opener.flush();
    },
    scripts: each(
      updates,
      function* (janitor) {
        yield* janitor.evict();
      },
      getsTwice,
    ),
  },
  {
    name: "updater-dies",
    races: "R14 R17",
    about: "a thread dies while it updates a key that another updates",
    world: { threads: 3 },
    keys: ["a"],
    mortal: [0],
    bound: 2,
    setUp: setsOne,
    scripts: each((dying) => update(dying, "a"), updates),
  },
];

const revisionScenarios: readonly Scenario[] = [
  {
    name: "revision-set",
    races: "R17",
    about: "sets with two revisions, and a reader",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    scripts: each(
      (older) => setInOrder(older, "a", 1),
      function* (newer) {
        yield* setInOrder(newer, "a", 2);
        yield* newer.get("a");
      },
      getsTwice,
    ),
  },
  {
    name: "revision-delete",
    races: "R17",
    about: "a set and a delete with one revision, then a newer set; a reader",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* setInOrder(opener, "a", 1);
    },
    scripts: each(
      function* (setter) {
        yield* setInOrder(setter, "a", 2);
        yield* setter.get("a");
      },
      function* (deleter) {
        yield* deleteInOrder(deleter, "a", 2);
        yield* deleter.get("a");
        yield* setInOrder(deleter, "a", 3);
      },
      getsTwice,
    ),
  },
  {
    name: "revision-dies",
    races: "R14 R17",
    about: "a thread dies while it sets a revision, and another sets an older and a newer one",
    world: { threads: 3 },
    keys: ["a"],
    mortal: [0],
    bound: 2,
    scripts: each(
      (dying) => setInOrder(dying, "a", 2),
      function* (other) {
        yield* setInOrder(other, "a", 1);
        yield* setInOrder(other, "a", 3);
        yield* other.get("a");
      },
    ),
  },
];

const guardScenarios: readonly Scenario[] = [
  {
    name: "guard-fill",
    races: "R4",
    about: "a guarded write, a load that nobody joins, and a reader",
    world: { threads: 5 },
    keys: ["a"],
    bound: 2,
    scripts: around(writesToSource, fillsFromSource, getsOfSource),
  },
  {
    name: "guard-load",
    races: "R4",
    about: "a guarded write, and two loads of which one may follow the other",
    world: { threads: 5 },
    keys: ["a"],
    bound: 2,
    scripts: around(writesToSource, loadsFromSource, loadsFromSource),
  },
  {
    name: "guard-entry",
    races: "R4",
    about: "a guarded write of a key that is there, and readers",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    *setUp(opener) {
      yield* opener.fill("a", "", 0);
    },
    scripts: (actors) => {
      const source = new Source();
      source.note(1);
      return each(
        (writer) => writesToSource(writer, source),
        (reader) => getsOfSource(reader, source),
        (reader) => getsOfSource(reader, source),
      )(actors);
    },
  },
  {
    name: "guard-guard",
    races: "R4",
    about: "two guarded writes of one key, and a load",
    world: { threads: 5 },
    keys: ["a"],
    bound: 2,
    scripts: around(writesToSource, writesToSource, fillsFromSource),
  },
  {
    name: "guard-set",
    races: "R4",
    about: "a guarded write, and a set of the key",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    scripts: (actors) => {
      const source = new Source();
      return each((writer) => source.write(writer, "a"), setsAndGets)(actors);
    },
  },
  {
    name: "guard-dies",
    races: "R4 R14",
    about: "a thread dies in a guarded write, and others load and read",
    world: { threads: 4 },
    keys: ["a"],
    mortal: [0],
    bound: 1,
    scripts: (actors) => {
      const source = new Source();
      return each(
        (dying) => source.write(dying, "a"),
        function* (loader) {
          yield* fillsFromSource(loader, source);
          yield* loadsFromSource(loader, source);
        },
        (reader) => getsOfSource(reader, source),
      )(actors);
    },
  },
];

export const orderedScenarios: readonly Scenario[] = [
  ...updateScenarios,
  ...revisionScenarios,
  ...guardScenarios,
];
