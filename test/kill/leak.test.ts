// CI's share of the proof that attaching, detaching and dying leak nothing (`npm run proof -- leak`
// is the long run).

import { expect, test } from "vitest";

import { leak } from "../../dist/test/proof/leak.js";

test("400 threads that attach, detach or die leave nothing behind", async () => {
  const shown = await leak.run({ rounds: 400 }, () => undefined);
  expect(shown).toMatch(
    /^400 rounds, 9 of them ended by a thread's end; .* 1 thread ids as before$/,
  );
});
