// One owner per directory: within a process, across processes, across the workers of node:cluster,
// and after kill -9.

import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openDirectory } from "../../dist/src/directory/mod.js";
import {
  acquireFileLock,
  acquireLock,
  acquireSocketLock,
  lockFileName,
} from "../../dist/src/directory/lock.js";
import { MiB } from "../../dist/src/base/mod.js";
import { scratchDirectory } from "../disk/scratch.js";

/** The address of a module of the directory room, quoted for a script. */
function urlOf(module: string): string {
  return JSON.stringify(new URL(`../../dist/src/directory/${module}`, import.meta.url).href);
}

const locked = expect.objectContaining({ code: "ERR_DIRECTORY_LOCKED" });

/** Starts a script in another process; resolves once it has sent its first message. */
async function start(script: string): Promise<{ child: ChildProcess; first: unknown }> {
  const file = join(scratchDirectory(), "child.mjs");
  writeFileSync(file, script);
  const child = fork(file, [], { execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] });
  // Ended before its directory is removed: a new directory may get the inode number, and so the
  // lock, of a deleted one.
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const end = ended(child);
    child.kill("SIGKILL");
    await end;
  });
  const first = await new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`the child ended with ${code}`)));
  });
  return { child, first };
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
  });
}

const open = (path: string) =>
  openDirectory({
    path,
    capacityBytes: 2 * MiB,
    maxRecordBytes: 1000,
    tagSlots: 2051,
    codecName: "json",
    wallNow: 1,
  });

describe.each([
  ["acquireLock()", acquireLock],
  ["acquireFileLock()", acquireFileLock],
])("%s", (name, acquire) => {
  test("excludes a second holder until it is released", async () => {
    const path = scratchDirectory();
    const lock = await acquire(path);
    await expect(acquire(path)).rejects.toEqual(locked);
    await expect(acquire(path)).rejects.toEqual(locked);
    const elsewhere = await acquire(scratchDirectory());
    await elsewhere.release();
    await lock.release();
    await lock.release();
    const again = await acquire(path);
    await again.release();
    expect(readdirSync(path)).toEqual([]);
  });

  test("excludes another process until that one is killed", async () => {
    const path = scratchDirectory();
    const { child } = await start(`
      import { ${name.replace("()", "")} as acquire } from ${urlOf("lock.js")};
      await acquire(${JSON.stringify(path)});
      process.send("held");
      setInterval(() => undefined, 1000);
    `);
    await expect(acquire(path)).rejects.toEqual(locked);
    const end = ended(child);
    child.kill("SIGKILL");
    await end;
    const lock = await acquire(path);
    await lock.release();
  });

  test("fails with a code if there is no directory", async () => {
    const path = join(scratchDirectory(), "missing");
    await expect(acquire(path)).rejects.toMatchObject({ code: "ERR_DISK_IO" });
  });
});

describe("acquireFileLock()", () => {
  test("takes over the lock of a dead process, and one that was not fully written", async () => {
    for (const text of ["999999999 5\n", "", "garbage", `${process.pid} 5\n`]) {
      const path = scratchDirectory();
      writeFileSync(join(path, lockFileName), text);
      const lock = await acquireFileLock(path);
      expect(readFileSync(join(path, lockFileName), "utf8")).toMatch(
        new RegExp(`^${process.pid} \\d+\\n$`),
      );
      await lock.release();
      expect(existsSync(join(path, lockFileName))).toBe(false);
    }
  });
});

describe("acquireSocketLock()", () => {
  test("does not keep the process alive", async () => {
    const path = scratchDirectory();
    const { child } = await start(`
      import { acquireLock } from ${urlOf("lock.js")};
      await acquireLock(${JSON.stringify(path)});
      process.send("held");
      process.disconnect();
    `);
    await ended(child);
    expect(child.exitCode).toBe(0);
    const lock = await acquireSocketLock(path);
    await lock.release();
  });

  test("is not shared by the workers of node:cluster", async () => {
    const path = scratchDirectory();
    const { first } = await start(`
      import cluster from "node:cluster";
      import { acquireLock } from ${urlOf("lock.js")};
      if (cluster.isPrimary) {
        const answers = [];
        const next = () => cluster.fork().on("message", (answer) => {
          answers.push(answer);
          if (answers.length < 2) return next();
          for (const worker of Object.values(cluster.workers)) worker.process.kill("SIGKILL");
        });
        let exits = 0;
        cluster.on("exit", () => {
          exits += 1;
          if (exits === 2) process.send(answers);
        });
        next();
      } else {
        acquireLock(${JSON.stringify(path)}).then(() => "held", (error) => error.code)
          .then((answer) => process.send(answer));
        setInterval(() => undefined, 1000);
      }
    `);
    expect(first).toEqual(["held", "ERR_DIRECTORY_LOCKED"]);
  });
});

describe("openDirectory()", () => {
  test("refuses a directory that this process has open, even by another name", async () => {
    const path = scratchDirectory();
    const directory = await open(path);
    await expect(open(path)).rejects.toEqual(locked);
    await expect(open(`${path}/../${path.split("/").at(-1)}`)).rejects.toEqual(locked);
    await directory.close({ clean: false, nextSequence: 1, lastAliveMs: 1, schemas: 0 });
    const again = await open(path);
    await again.close({ clean: false, nextSequence: 1, lastAliveMs: 1, schemas: 0 });
  });

  test("opens and scans a directory that a killed process had open", async () => {
    const path = scratchDirectory();
    const { child } = await start(`
      import { openDirectory } from ${urlOf("mod.js")};
      const path = ${JSON.stringify(path)};
      const rest = { maxRecordBytes: 1000, tagSlots: 2051, codecName: "json", wallNow: 1 };
      await openDirectory({ path, capacityBytes: ${2 * MiB}, ...rest });
      process.send("open");
      setInterval(() => undefined, 1000);
    `);
    await expect(open(path)).rejects.toEqual(locked);
    const end = ended(child);
    child.kill("SIGKILL");
    await end;
    const directory = await open(path);
    expect(directory.recovery.kind).toBe("scan");
    await directory.close({ clean: true, nextSequence: 1, lastAliveMs: 1, schemas: 0 });
  });
});
