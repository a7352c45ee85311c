// What the checks of the tier suite have in common: entries to write, and short ways to write and
// read them.
import assert from "node:assert/strict";
import type { Tier, TierChange, TierEntry, TierListener } from "../outer-tiers/mod.js";
import { clearTimeout, setTimeout } from "../base/mod.js";

/** Opens another tier over the store of the check. */
export type Open = () => Promise<Tier>;
export type Checks = Readonly<Record<string, (open: Open) => Promise<void>>>;

/** A moment of the cache's time: the checks' own clock. */
export const now = 1.7e12;
/** How long the checks wait for what a tier tells. */
const toldMsMax = 5000;

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

export function entry(text: string, fields: Partial<TierEntry> = {}): TierEntry {
  const times = { createdAt: now, expiresAt: now + 60_000, staleUntil: now + 120_000 };
  return { value: bytes(text), ...times, tags: [], ...fields };
}

export function set(key: string, value: TierEntry | string, namespace = ""): TierChange {
  const stored = typeof value === "string" ? entry(value) : value;
  return { kind: "set", namespace, key: bytes(key), entry: stored };
}

export function del(key: string, namespace = ""): TierChange {
  return { kind: "delete", namespace, key: bytes(key) };
}

export async function read(tier: Tier, key: string, namespace = ""): Promise<string | undefined> {
  const [found] = await tier.getMany([{ namespace, key: bytes(key) }], now);
  return found === undefined ? undefined : Buffer.from(found.value).toString();
}

export async function readAll(tier: Tier, keys: readonly string[]): Promise<(string | null)[]> {
  const found = await tier.getMany(
    keys.map((key) => ({ namespace: "", key: bytes(key) })),
    now,
  );
  return found.map((one) => (one === undefined ? null : Buffer.from(one.value).toString()));
}

/** What a tier tells, in words. */
export class Told implements TierListener {
  readonly lines: string[] = [];
  #woken: () => void = () => undefined;

  readonly ended: TierListener["ended"] = (change) => {
    const where = change.namespace ?? "*";
    const what =
      change.kind === "delete"
        ? Buffer.from(change.key).toString()
        : change.kind === "clear"
          ? ""
          : change.tag;
    this.#tell(`${change.kind} ${where}/${what}`);
  };

  readonly freed: TierListener["freed"] = ({ key }) => {
    this.#tell(`freed ${Buffer.from(key).toString()}`);
  };

  readonly touched: TierListener["touched"] = (error) => {
    this.#tell(error === null ? "touched" : "cut");
  };

  #tell(line: string): void {
    this.lines.push(line);
    this.#woken();
  }

  /** Resolves when the tier has told a line; throws if it does not in time. */
  async until(line: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let isLate = false;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        isLate = true;
        resolve();
      }, toldMsMax);
    });
    while (!this.lines.includes(line)) {
      if (isLate) assert.fail(`it has not told "${line}", only: ${this.lines.join(", ")}`);
      await Promise.race([new Promise<void>((resolve) => (this.#woken = resolve)), late]);
    }
    clearTimeout(timer);
  }
}

/** Listens to a tier, which must be able to tell. */
export async function listen(tier: Tier): Promise<{ told: Told; end: () => void }> {
  const told = new Told();
  const end = await tier.subscribe?.(told);
  assert.ok(end !== undefined, "the tier has no subscribe()");
  return { told, end };
}
