// One case of one suite in its own process: `node case.js <suite> <case>`, started by main.ts.
// Sends its rows.

import * as suites from "./suites/mod.js";

const [suiteName, caseName] = process.argv.slice(2);
const suite = Object.values(suites).find(({ name }) => name === suiteName);
if (suite === undefined || caseName === undefined || !suite.cases.includes(caseName)) {
  throw new Error(`Cannot run case ${caseName} of suite ${suiteName}: there is none`);
}
const rows = await suite.run(caseName);
process.send?.(rows);
