// The metrics of two caches as text, without a client library: in the format that a scraper asks
// for. Prints how long loaders took, as a scrape would see it.
import { openCache } from "undercroft";
import { collect, contentTypes, type TextFormat } from "undercroft/prometheus";

const users = await openCache<string>({ name: "users", memory: "16mb" });
const pages = await openCache<string>({ name: "pages", memory: "16mb" });

/** What to answer to `GET /metrics`. */
function scrape(accept: string): { readonly type: string; readonly body: string } {
  const format: TextFormat = accept.includes("application/openmetrics-text")
    ? "openmetrics"
    : "prometheus";
  return { type: contentTypes[format], body: collect([users, pages], { format }) };
}

await users.fetch("user:7", () => "Ada");
const { type, body } = scrape("text/plain");
console.log(type);
for (const line of body.split("\n")) {
  if (line.startsWith("undercroft_load_duration_seconds_count")) console.log(line);
}
await users.close();
await pages.close();
