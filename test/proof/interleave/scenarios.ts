// Every scenario; its position in this list is its number on the command line. Called by
// interleave.ts and the tests.

import { answerScenarios } from "./answer-scenarios.js";
import { deathScenarios } from "./death-scenarios.js";
import { diskScenarios } from "./disk-scenarios.js";
import { fillScenarios } from "./fill-scenarios.js";
import { flightScenarios } from "./flight-scenarios.js";
import { indexScenarios } from "./index-scenarios.js";
import { internedScenarios } from "./interned-scenarios.js";
import { largeScenarios } from "./large-scenarios.js";
import { memoryScenarios } from "./memory-scenarios.js";
import { orderedScenarios } from "./ordered-scenarios.js";
import { namespaceScenarios } from "./namespace-scenarios.js";
import { refusedScenarios } from "./refused-scenarios.js";
import { resizedScenarios } from "./resized-scenarios.js";
import { restScenarios } from "./rest-scenarios.js";
import type { Scenario } from "./scenario.js";
import { tagScenarios } from "./tag-scenarios.js";

export const scenarios: readonly Scenario[] = [
  ...memoryScenarios,
  ...indexScenarios,
  ...fillScenarios,
  ...diskScenarios,
  ...deathScenarios,
  ...internedScenarios,
  ...answerScenarios,
  ...flightScenarios,
  ...tagScenarios,
  ...largeScenarios,
  ...orderedScenarios,
  ...namespaceScenarios,
  ...refusedScenarios,
  ...restScenarios,
  ...resizedScenarios,
];
