// A temporary directory for one suite. Called by the peers and suites that use a disk.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fse from "fs-extra";

export class TemporaryDirectory {
  readonly path: string;

  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), `undercroft-bench-${name}-`));
  }

  remove(): void {
    fse.removeSync(this.path);
  }
}
