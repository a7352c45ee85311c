// The table of docs/guides/metrics.md, made from the metrics themselves.
import { cacheMetrics, namespaceMetrics } from "../../dist/src/metrics/mod.js";
import { families } from "../../dist/src/prometheus/series.js";

const kinds = { counter: "counter", level: "gauge", gauge: "gauge", histogram: "histogram" };

/** The rows that the guide must have, each as its cells. */
export function metricRows(): string[][] {
  const metrics = [
    ...cacheMetrics.map((metric) => ({ ...metric, own: [] })),
    ...namespaceMetrics.map((metric) => ({ ...metric, own: ["namespace"] })),
  ];
  return metrics.map((metric, index) => {
    const labels = new Set([...metric.own, ...metric.labels.flatMap(Object.keys)]);
    return [
      `\`${families[index]?.name ?? ""}\``,
      `\`undercroft.${metric.name}\``,
      kinds[metric.kind],
      metric.unit === "1" ? "" : metric.unit.replaceAll(/[{}]/g, ""),
      Array.from(labels, (label) => `\`${label}\``).join(", "),
      metric.help,
    ];
  });
}
