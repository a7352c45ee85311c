// The text of a fault: the one command that runs its schedule again, and the steps of that
// schedule. Called by ../interleave.ts and the tests.

import type { Explorer, Report } from "./explorer.js";
import type { Step } from "./scheduler.js";

/** Lines of a schedule that are printed; the last ones show the fault. */
const linesMax = 400;

export function describeFault(
  explorer: Explorer,
  number: number,
  kind: "seed" | "schedule",
  report: Report,
): string {
  const steps: Step[] = [];
  if (kind === "seed") explorer.seeded(report.at, steps);
  else explorer.walk(explorer.scenario.bound, report.at + 1, { number: report.at, trace: steps });
  const lines = explorer.trace(steps);
  return [
    `${explorer.scenario.name}: ${report.fault}`,
    "",
    `npm run proof -- interleave --scenario ${number} --${kind} ${report.at}`,
    "",
    ...lines.slice(-linesMax),
  ].join("\n");
}
