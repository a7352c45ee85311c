// Miss-ratio curves as an SVG: one line for each policy over the cache size, on a logarithmic axis.
// Called by the command line. A pure function from outcomes to text.
import type { Outcome } from "./replay.js";

const width = 720;
const height = 420;
const left = 60;
const right = 120;
const top = 40;
const bottom = 50;
/** Distinguishable with red-green color blindness (Okabe and Ito's palette). */
const colours = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#d55e00",
  "#999999",
  "#000000",
];

export function plotCurves(outcomes: readonly Outcome[]): string {
  const policies = [...new Set(outcomes.map(({ policy }) => policy))];
  const sizes = [...new Set(outcomes.map(({ size }) => size))].sort((a, b) => a - b);
  const [first, last] = [Math.log(sizes[0] ?? 1), Math.log(sizes.at(-1) ?? 1)];
  const x = (size: number): number =>
    left + ((Math.log(size) - first) / (last - first || 1)) * (width - left - right);
  const ratios = outcomes.map(({ missRatio }) => missRatio);
  const low = Math.floor(Math.min(...ratios) * 10) / 10;
  const high = Math.max(low + 0.1, Math.ceil(Math.max(...ratios) * 10) / 10);
  const y = (ratio: number): number =>
    top + ((high - ratio) / (high - low)) * (height - top - bottom);
  const parts = [...grid(low, high, y), ...axis(sizes, x)];
  for (const [index, policy] of policies.entries()) {
    const points = outcomes
      .filter((outcome) => outcome.policy === policy)
      .sort((a, b) => a.size - b.size)
      .map(({ size, missRatio }) => `${x(size).toFixed(1)},${y(missRatio).toFixed(1)}`);
    const colour = colours[index % colours.length] ?? "#000000";
    const dash = policy === "belady" ? ' stroke-dasharray="4 3"' : "";
    parts.push(
      `<polyline points="${points.join(" ")}" fill="none" ` +
        `stroke="${colour}" stroke-width="2"${dash}/>`,
      `<rect x="${width - right + 12}" y="${top + index * 20 - 4}" ` +
        `width="14" height="4" fill="${colour}"/>`,
      text(width - right + 32, top + index * 20 + 2, policy, "start"),
    );
  }
  const title = escaped(outcomes[0]?.trace ?? "");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
      'font-family="sans-serif" font-size="12">',
    `<title>Miss ratio of ${title} by cache size</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(left, 22, `${outcomes[0]?.trace ?? ""}: miss ratio by cache size`, "start"),
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function grid(low: number, high: number, y: (ratio: number) => number): string[] {
  const lines: string[] = [];
  for (let step = Math.round(low * 10); step <= Math.round(high * 10); step++) {
    const at = y(step / 10).toFixed(1);
    lines.push(
      `<line x1="${left}" x2="${width - right}" y1="${at}" y2="${at}" stroke="#dddddd"/>`,
      text(left - 8, Number(at) + 4, (step / 10).toFixed(1), "end"),
    );
  }
  return lines;
}

function axis(sizes: readonly number[], x: (size: number) => number): string[] {
  const base = height - bottom;
  return sizes.map((size) =>
    text(x(size), base + 18, `${Number((size * 100).toPrecision(3))} %`, "middle"),
  );
}

function text(x: number, y: number, words: string, anchor: "start" | "middle" | "end"): string {
  const at = `x="${x.toFixed(1)}" y="${y.toFixed(1)}"`;
  return `<text ${at} text-anchor="${anchor}">${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
