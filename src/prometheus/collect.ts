// The metrics as text, in the Prometheus exposition format 0.0.4 or in OpenMetrics 1.0.
import { describe } from "../base/mod.js";
import {
  type Labels,
  type MetricsReading,
  type MetricsSource,
  readCaches,
} from "../metrics/mod.js";
import { boundText, families, type Family } from "./series.js";

/**
 * A text format: that of Prometheus, which every scraper reads, or OpenMetrics.
 *
 * @example
 * ```ts
 * import { contentTypes, type TextFormat } from "undercroft/prometheus";
 *
 * const formatFor = (accept: string): TextFormat =>
 *   accept.includes("application/openmetrics-text") ? "openmetrics" : "prometheus";
 * console.log(contentTypes[formatFor("*" + "/*")]); // text/plain; version=0.0.4; charset=utf-8
 * ```
 */
export type TextFormat = "prometheus" | "openmetrics";

/**
 * The `content-type` of an answer in each format.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { openCache } from "undercroft";
 * import { collect, contentTypes } from "undercroft/prometheus";
 *
 * const cache = await openCache();
 * const server = createServer((_request, response) => {
 *   response.setHeader("content-type", contentTypes.prometheus).end(collect(cache));
 * });
 * console.log(server.listening); // false
 * await cache.close();
 * ```
 */
export const contentTypes: Readonly<Record<TextFormat, string>> = Object.freeze({
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
});

/**
 * Options of `collect`.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { collect, type CollectOptions } from "undercroft/prometheus";
 *
 * const options: CollectOptions = { format: "openmetrics" };
 * const cache = await openCache();
 * console.log(collect(cache, options).endsWith("# EOF\n")); // true
 * await cache.close();
 * ```
 */
export interface CollectOptions {
  /** "prometheus" by default. */
  readonly format?: TextFormat;
}

/**
 * The metrics of one or several caches as text, for a scrape without a client library. Reads
 * `stats()` once for each cache, which covers all threads: export from one thread. Caches that are
 * closed are left out. Namespaces have metrics of their own, with the label `namespace`. No metric
 * has a key as a label.
 *
 * @throws TypeError if `caches` is neither a cache nor several; RangeError if two have one name, or
 *   for an unknown format.
 *
 * @example
 * ```ts
 * import { openCache } from "undercroft";
 * import { collect } from "undercroft/prometheus";
 *
 * const cache = await openCache<string>({ name: "users" });
 * cache.getSync("user:7");
 * const text = collect([cache]);
 * const line = text.split("\n").find((each) => each.includes('result="miss"'));
 * console.log(line); // undercroft_requests_total{cache="users",result="miss",tier="none"} 1
 * await cache.close();
 * ```
 */
export function collect(
  caches: MetricsSource | Iterable<MetricsSource>,
  options: CollectOptions = {},
): string {
  const { format = "prometheus" } = options;
  if (!Object.hasOwn(contentTypes, format)) {
    throw new RangeError(
      `Cannot collect metrics in the format ${describe(format)}: ` +
        'options.format must be "prometheus" or "openmetrics"',
    );
  }
  return textOf(readCaches(caches), format);
}

/** What does not change in a family's text: its heading, and each line up to the label that names
 *  the cache and from there to the number. */
interface Template {
  readonly family: Family;
  readonly heading: string;
  readonly lines: readonly { readonly before: string; readonly behind: string }[];
}

const templates: Readonly<Record<TextFormat, readonly Template[]>> = {
  prometheus: families.map((family) => templateOf(family, false)),
  openmetrics: families.map((family) => templateOf(family, true)),
};

function textOf(readings: readonly MetricsReading[], format: TextFormat): string {
  const pairs = pairsOnce();
  let text = "";
  for (const { family, heading, lines } of templates[format]) {
    let body = "";
    for (const reading of readings) {
      for (const { labels, values } of family.read(reading)) {
        const named = pairs(labels);
        for (const [index, value] of values.entries()) {
          const { before, behind } = lines[index] as Template["lines"][number];
          body += `${before}${named}${behind}${value}\n`;
        }
      }
    }
    if (body !== "") text += heading + body;
  }
  return format === "openmetrics" ? `${text}# EOF\n` : text;
}

function templateOf(family: Family, isOpenMetrics: boolean): Template {
  const lines = family.series.map(({ name, labels, le }) => {
    const bound = le === undefined ? undefined : { le: boundText(le, isOpenMetrics) };
    const pairs = pairsOf({ ...labels, ...bound });
    return { before: `${name}{`, behind: pairs === "" ? "} " : `,${pairs}} ` };
  });
  return { family, heading: headingOf(family, isOpenMetrics), lines };
}

/** In OpenMetrics a counter's family has the name without _total. */
function headingOf({ name, type, unit, help }: Family, isOpenMetrics: boolean): string {
  if (!isOpenMetrics) return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  const family = name.replace(/_total$/, "");
  const unitLine = unit === "" ? "" : `# UNIT ${family} ${unit}\n`;
  return `# HELP ${family} ${help}\n# TYPE ${family} ${type}\n${unitLine}`;
}

/** `pairsOf`, once for all metrics of a cache or a namespace. */
function pairsOnce(): typeof pairsOf {
  const known = new Map<Labels, string>();
  return (labels) => {
    const text = known.get(labels) ?? pairsOf(labels);
    known.set(labels, text);
    return text;
  };
}

function pairsOf(labels: Labels): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}="${escaped(value)}"`)
    .join(",");
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
