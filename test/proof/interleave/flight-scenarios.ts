// Scenarios of a flight table that is full, or full but for one flight: who claims it, who finds
// what was there before, and what a death gives back. Called by scenarios.ts. Every key has all
// sixteen flights of a world.

import type { Actor } from "./actor.js";
import { type Scenario, setsAndGets } from "./scenario.js";
import { alone, type Coroutine } from "./suspension.js";

/** Scripts of three threads or two; the first has every flight before the schedule begins. */
function holding(
  scripts: (flights: number[], holder: Actor, one: Actor, two: Actor) => Coroutine<unknown>[],
): Scenario["scripts"] {
  return (actors) => {
    const [holder, one, two] = actors as [Actor, Actor, Actor];
    const flights = alone(holder.flights.takeAll());
    return scripts(flights, holder, one, two).map(function* (script): Coroutine {
      yield* script;
    });
  };
}

/** Fills a key that nobody else writes: it is stored whatever becomes of the flights around it. */
function* fillsForSure(actor: Actor, key: string): Coroutine {
  if ((yield* actor.fill(key)) === "stored") return;
  throw new Error(`the fill of "${key}" was refused, and nobody wrote it`);
}

export const flightScenarios: readonly Scenario[] = [
  {
    name: "flights-full",
    races: "R7 R4",
    about: "two threads want the same load, and no flight is free until a third thread ends some",
    world: { threads: 4 },
    keys: ["a"],
    bound: 2,
    scripts: holding((flights, holder, one, two) => [
      holder.flights.end(flights),
      one.load("a"),
      two.load("a"),
    ]),
  },
  {
    name: "flights-full-two-keys",
    races: "R7",
    about: "loads of two keys want the one flight that becomes free, and a delete of one of them",
    world: { threads: 4 },
    keys: ["a", "b"],
    bound: 2,
    scripts: holding((flights, holder, one, two) => {
      function* ends(): Coroutine {
        yield* holder.flights.end(flights.slice(0, 1));
        yield* holder.delete("a");
        yield* holder.flights.end(flights.slice(1));
      }
      return [ends(), one.load("a"), two.load("b")];
    }),
  },
  {
    name: "flight-of-another-key",
    races: "R2 R4",
    about: "a set looks for fills of its key while the one flight is used again for another key",
    world: { threads: 3 },
    keys: ["a", "b"],
    bound: 2,
    scripts: holding((flights, filler, writer) => {
      alone(filler.flights.end(flights.slice(0, 1)));
      const first = alone(filler.flights.begin("a"));
      function* fills(): Coroutine {
        yield* filler.flights.end([first]);
        yield* fillsForSure(filler, "b");
        yield* filler.flights.end(flights.slice(1));
      }
      return [fills(), setsAndGets(writer)];
    }),
  },
  {
    name: "flight-in-second-window",
    races: "R4",
    about: "a load whose flight is in the second window of its key, and a set of the key",
    world: { threads: 3 },
    keys: ["a"],
    bound: 3,
    scripts: holding((flights, filler, writer) => {
      const free = alone(filler.flights.firstOf("a", 1));
      alone(filler.flights.end([free]));
      function* fills(): Coroutine {
        yield* filler.fill("a");
        yield* filler.flights.end(flights.filter((flight) => flight !== free));
      }
      return [fills(), setsAndGets(writer)];
    }),
  },
  {
    name: "flight-holder-dies",
    races: "R14 R7",
    about: "the thread that has every flight dies; loads that wait for one get it",
    world: { threads: 4 },
    keys: ["a"],
    mortal: [0],
    bound: 1,
    scripts: holding((flights, holder, one, two) => [
      holder.flights.end(flights),
      one.load("a"),
      two.load("a"),
    ]),
  },
];
