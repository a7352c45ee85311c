// A plot of what simulate.ts has found, as an SVG: a row for each case, a bar for each of three
// numbers. A pure function from outcomes to text.
import type { Outcome } from "./instances.js";

interface Point {
  readonly curve: string;
  readonly at: number;
  readonly outcome: Outcome;
}

const [labelWidth, panelWidth, gap, rowHeight, top] = [190, 190, 70, 18, 46];
const panels: readonly (readonly [
  title: string,
  colour: string,
  of: (outcome: Outcome) => number,
  digits: number,
])[] = [
  ["loads, % of fetches", "#0072b2", ({ savedPercent }) => 100 - savedPercent, 1],
  ["stale answers, %", "#d55e00", ({ stalePercent }) => stalePercent, 4],
  ["tier, thousands a second", "#009e73", tierLoad, 1],
];

/** What the server does for the instances: it answers reads and writes, and sends news. */
function tierLoad({ tierPerSecond, newsPerSecond }: Outcome): number {
  return (tierPerSecond + newsPerSecond) / 1000;
}

export function plot(points: readonly Point[]): string {
  const width = labelWidth + panels.length * (panelWidth + gap);
  const height = top + points.length * rowHeight + 12;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}"` +
      ' font-family="sans-serif" font-size="12">',
    "<title>Loads, stale answers and load of the tier, by design</title>",
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
  ];
  const y = (row: number): number => top + row * rowHeight;
  for (const [row, { curve, at }] of points.entries()) {
    parts.push(
      `<text x="${labelWidth - 8}" y="${y(row) + 12}" text-anchor="end">${curve} ${at}</text>`,
    );
  }
  for (const [index, [title, colour, of, digits]] of panels.entries()) {
    const x = labelWidth + index * (panelWidth + gap);
    const most = Math.max(...points.map(({ outcome }) => of(outcome)), Number.MIN_VALUE);
    parts.push(`<text x="${x}" y="26" font-weight="bold">${title}</text>`);
    for (const [row, { outcome }] of points.entries()) {
      const value = of(outcome);
      const bar = ((value / most) * panelWidth).toFixed(1);
      parts.push(
        `<rect x="${x}" y="${y(row) + 2}" width="${bar}" height="${rowHeight - 5}"` +
          ` fill="${colour}"/>`,
        `<text x="${x + Number(bar) + 4}" y="${y(row) + 12}">${value.toFixed(digits)}</text>`,
      );
    }
  }
  return `${[...parts, "</svg>"].join("\n")}\n`;
}
