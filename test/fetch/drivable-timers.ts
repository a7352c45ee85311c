// Lets a test move the library's timers, which it binds when it is imported: import this file
// before anything else. The timers bound then ask the global scope at each call, where vitest puts
// its fakes.
import timers from "node:timers";

export const drivableSetTimeout = ((callback: () => void, ms: number) =>
  globalThis.setTimeout(callback, ms)) as typeof setTimeout;

timers.setTimeout = drivableSetTimeout;
timers.clearTimeout = ((timer: NodeJS.Timeout | undefined) =>
  globalThis.clearTimeout(timer)) as typeof clearTimeout;
