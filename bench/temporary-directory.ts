// A directory of a suite's own under the machine's temporary folder. Called by the peers and suites that use a disk.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class TemporaryDirectory {
  readonly path: string;

  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), `undercroft-bench-${name}-`));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
