// Numbers as the page shows them. Used by page.js.

export const count = (value) =>
  value >= 1e7
    ? `${(value / 1e6).toFixed(1)} M`
    : value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 1 : 0 });

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; value >= 1024 && unit < 4; unit++) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export const percent = (ratio) => (ratio === null ? "–" : `${(ratio * 100).toFixed(1)} %`);

export function time(ns) {
  if (ns === null) return "–";
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} µs`;
  return ns < 1e9 ? `${(ns / 1e6).toFixed(1)} ms` : `${(ns / 1e9).toFixed(2)} s`;
}

export function duration(ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.floor(ms / 1000)} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const spaceName = (name) => (name === "" ? "(the cache's own)" : name);
export const part = (some, whole) => percent(whole > 0 ? some / whole : null);
