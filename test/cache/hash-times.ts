// Drives performance.now until the mocks are restored, so that a KeyHabit sees the hash times a test wants.

import { vi } from "vitest";

/** From now on the habit measures these nanoseconds: `asked` for a caller's key, `built` for the string it builds. */
export function hashTimes(times: { readonly asked: number; readonly built: number }): void {
  let now = 1_000_000;
  let call = 0;
  // Six readings a sample: before, between and after two looks with either string.
  vi.spyOn(performance, "now").mockImplementation(() => {
    const step = call++ % 6;
    if (step === 1) now += times.asked / 1e6 + 0.001;
    else if (step === 4) now += times.built / 1e6 + 0.001;
    else now += 0.001;
    return now;
  });
}
