// How the commands for operators wait for answers. Called by top and dashboard.
import { clearTimeout, setTimeout } from "../../base/mod.js";
import type { NoAnswer } from "../../operators/mod.js";

/** Milliseconds between two questions. */
const refreshMs = 1000;
/** Milliseconds without an answer until that is said. */
export const answerTimeoutMs = 3000;

export const endWords: Readonly<Record<NoAnswer["kind"], string>> = {
  closed: "The cache was closed, or its process has ended",
  silent: "The cache does not answer: the event loop of the thread that opened it is blocked",
  garbage: "What answers is no cache of this version of the package",
};

/** Resolves when the next question is due, or at once when `signal` aborts. */
export async function pause(signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, refreshMs);
    signal?.addEventListener("abort", end);
  });
}
