// What the site has: the sidebar's groups, in order. A page of docs/ that no group names fails the
// build (pages.js), so that none is hidden. Titles are the pages' own headings.

/** Paths from docs/ without `.md`; `index` is the README, `changelog` the changelog. */
export const groups = [
  { text: "Start", pages: ["index", "guides/quick-start", "guides/migrating"] },
  {
    text: "Guides",
    pages: [
      "guides/read-through",
      "guides/freshness",
      "guides/invalidation",
      "guides/namespaces",
      "guides/bulk",
      "guides/threads",
      "guides/processes",
      "guides/disk-and-restarts",
      "guides/streams",
      "guides/sizing",
      "guides/tiers",
      "guides/sqlite",
      "guides/redis",
      "guides/testing",
      "guides/deployment",
      "bundlers",
      "package",
      "shared-map",
    ],
  },
  {
    text: "Adapters",
    pages: [
      "guides/keyv",
      "guides/unstorage",
      "guides/bentocache",
      "guides/undici",
      "guides/next",
      "guides/ai-sdk",
      "guides/langchain",
      "guides/http-hosts",
      "guides/small-hosts",
      "hosts",
    ],
  },
  {
    text: "Operating",
    pages: [
      "statistics",
      "guides/metrics",
      "guides/top",
      "guides/dashboard",
      "guides/record",
      "guides/troubleshooting",
    ],
  },
  { text: "Configuration", pages: ["configuration"] },
  { text: "API", pages: ["api"] },
  { text: "About", pages: ["glossary", "changelog"] },
];
