// The metrics of a cache on a meter of OpenTelemetry, exported once: prints the loads.
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { openCache } from "undercroft";
import { observe } from "undercroft/opentelemetry";

// In a service this is an exporter that sends, such as OTLPMetricExporter.
const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 });
const provider = new MeterProvider({ readers: [reader] });

const cache = await openCache<string>({ name: "users", memory: "16mb" });
observe(provider.getMeter("undercroft"), cache);

await cache.fetch("user:7", () => "Ada");
await provider.forceFlush();
const [exported] = exporter.getMetrics();
for (const { descriptor, dataPoints } of exported?.scopeMetrics[0]?.metrics ?? []) {
  if (descriptor.name !== "undercroft.loads") continue;
  for (const { attributes, value } of dataPoints) {
    console.log(descriptor.name, JSON.stringify(attributes), value);
  }
}
await provider.shutdown();
await cache.close();
