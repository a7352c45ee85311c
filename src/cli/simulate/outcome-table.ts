// The outcomes of one trace as a text table of miss ratios: a row a size, a column a policy. Called
// by the simulate command.
import type { Outcome } from "../../simulation/mod.js";

/** The table of one ratio, `column`, as lines of text. */
export function outcomeTable(
  outcomes: readonly Outcome[],
  column: "missRatio" | "byteMissRatio" | "waitRatio",
): string {
  const policies = [...new Set(outcomes.map(({ policy }) => policy))];
  const sizes = [...new Set(outcomes.map(({ size }) => size))];
  const header = ["size", "capacity", ...policies];
  const rows = sizes.map((size) => {
    const row = outcomes.filter((outcome) => outcome.size === size);
    const cells = policies.map((policy) => {
      const found = row.find((outcome) => outcome.policy === policy);
      return found?.[column]?.toFixed(4) ?? "";
    });
    return [`${Number((size * 100).toPrecision(4))} %`, String(row[0]?.capacity ?? ""), ...cells];
  });
  const widths = header.map((name, index) =>
    Math.max(name.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  return [header, ...rows]
    .map((row) => row.map((cell, index) => cell.padStart(widths[index] ?? 0)).join("  "))
    .join("\n");
}
