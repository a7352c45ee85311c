// One owner per directory: within a process, across processes, across the workers of node:cluster,
// and after kill -9.

import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openDirectory } from "../../dist/src/directory/mod.js";
import {
  acquireClaim,
  acquireLock,
  acquireNamedLock,
} from "../../dist/src/directory/owner/lock.js";
import {
  type Claim,
  kernelTag,
  leaseMs,
  listClaims,
  livenessOf,
  renewedMs,
} from "../../dist/src/directory/owner/claims.js";
import { MiB } from "../../dist/src/base/mod.js";
import { scratchDirectory } from "../disk/scratch.js";

/** The address of a module of the directory room, quoted for a script. */
function urlOf(module: string): string {
  return JSON.stringify(new URL(`../../dist/src/directory/${module}`, import.meta.url).href);
}

/** Whether namespaces can be made: on Linux, as root. */
const mayUnshare = spawnSync("unshare", ["-n", "-p", "-f", "true"]).status === 0;

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
  ["acquireClaim()", acquireClaim],
  ["acquireNamedLock()", acquireNamedLock],
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
      import { ${name.replace("()", "")} as acquire } from ${urlOf("owner/lock.js")};
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

describe("acquireClaim()", () => {
  test("of many openers at once exactly one gets it", async () => {
    const path = scratchDirectory();
    for (let round = 0; round < 20; round++) {
      const attempts = await Promise.allSettled(
        Array.from({ length: 8 }, () => acquireClaim(path)),
      );
      const held = attempts.filter(({ status }) => status === "fulfilled");
      expect(held).toHaveLength(1);
      for (const one of attempts) if (one.status === "fulfilled") await one.value.release();
      expect(readdirSync(path)).toEqual([]);
    }
  });

  test("of many processes at once at most one has it at a time", async () => {
    const path = scratchDirectory();
    // Each notes in a file of its own name that it has the lock; nobody may find another's.
    const script = `
      import { readdirSync, rmSync, writeFileSync } from "node:fs";
      import { acquireClaim } from ${urlOf("owner/lock.js")};
      const path = ${JSON.stringify(path)};
      let held = 0, faults = 0;
      while (held < 15) {
        const lock = await acquireClaim(path).catch((error) => {
          if (error.code !== "ERR_DIRECTORY_LOCKED") throw error;
        });
        if (lock === undefined) continue;
        if (readdirSync(path).some((name) => name.startsWith("held-"))) faults += 1;
        writeFileSync(path + "/held-" + process.pid, "");
        await new Promise((resolve) => setImmediate(resolve));
        rmSync(path + "/held-" + process.pid);
        await lock.release();
        held += 1;
      }
      process.send(faults);
      process.disconnect();`;
    const answers = await Promise.all([start(script), start(script), start(script)]);
    expect(answers.map(({ first }) => first)).toEqual([0, 0, 0]);
  });

  test("takes over from the dead, whatever they left, and keeps a path that is long", async () => {
    const path = join(scratchDirectory(), "x".repeat(120));
    mkdirSync(path);
    const id = "0123456789abcdef";
    const kernel = kernelTag();
    // A half-made claim, a dead candidate, a dead owner; a file in the place of a socket.
    for (const name of [`new-${id}`, `c-${kernel}-${id}`, `o-${kernel}-${"f".repeat(16)}`]) {
      writeFileSync(join(path, `undercroft.lock-${name}`), "");
    }
    const lock = await acquireClaim(path);
    expect(readdirSync(path)).toHaveLength(1);
    await expect(acquireClaim(path)).rejects.toEqual(locked);
    await lock.release();
    expect(readdirSync(path)).toEqual([]);
  });

  test("a claim of another kernel counts until its lease is over", async () => {
    const path = scratchDirectory();
    const claim = join(path, `undercroft.lock-o-deadbeef-${"0".repeat(16)}`);
    writeFileSync(claim, "");
    await expect(acquireClaim(path)).rejects.toEqual(locked);
    const now = renewedMs(path, basename(claim)) as number;
    const [one] = listClaims(path);
    expect(await livenessOf(path, one as Claim, now + leaseMs)).toBe("alive");
    expect(await livenessOf(path, one as Claim, now + leaseMs + 1)).toBe("dead");
    rmSync(claim);
    expect(await livenessOf(path, one as Claim, now)).toBe("moved");
  });

  test("who does not find its claim any more has lost the directory", async () => {
    const path = scratchDirectory();
    const lock = await acquireClaim(path);
    expect(lock.isHeld()).toBe(true);
    for (const { name } of listClaims(path)) rmSync(join(path, name));
    const other = await acquireClaim(path);
    expect(lock.isHeld()).toBe(false);
    await lock.lost;
    await lock.release();
    expect(other.isHeld()).toBe(true);
    await expect(acquireClaim(path)).rejects.toEqual(locked);
    await other.release();
  });

  test.runIf(mayUnshare)("reaches over network and process namespaces", async () => {
    const path = scratchDirectory();
    const file = join(scratchDirectory(), "child.mjs");
    writeFileSync(
      file,
      `import { acquireLock } from ${urlOf("owner/lock.js")};
      const locking = acquireLock(${JSON.stringify(path)});
      console.log(await locking.then(() => "held", ({ code }) => code));
      setInterval(() => undefined, 1000);`,
    );
    const other = spawn("unshare", ["-n", "-p", "-f", "--kill-child", process.execPath, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void other.kill("SIGKILL"));
    const [line] = (await once(other.stdout, "data")) as [Buffer];
    expect(line.toString()).toBe("held\n");
    await expect(acquireLock(path)).rejects.toEqual(locked);
    const end = once(other.stdout, "end");
    other.kill("SIGKILL");
    await end;
    const lock = await acquireLock(path);
    await lock.release();
  });
});

describe("the lock", () => {
  test("does not keep the process alive", async () => {
    const path = scratchDirectory();
    const { child } = await start(`
      import { acquireLock } from ${urlOf("owner/lock.js")};
      await acquireLock(${JSON.stringify(path)});
      process.send("held");
      process.disconnect();
    `);
    await ended(child);
    expect(child.exitCode).toBe(0);
    const lock = await acquireLock(path);
    await lock.release();
  });

  test("is not shared by the workers of node:cluster", async () => {
    const path = scratchDirectory();
    const { first } = await start(`
      import cluster from "node:cluster";
      import { acquireLock } from ${urlOf("owner/lock.js")};
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
