// A tier over a Map, whose calls a test can hold back and let fail.
import type { Tier, TierChange, TierEntry, TierKey, TierListener } from "../../dist/src/mod.js";

export class MapTier implements Tier {
  readonly name: string;
  readonly rows = new Map<string, TierEntry>();
  /** The number of changes of each batch. */
  readonly batches: number[] = [];
  /** How many keys each read asked for. */
  readonly reads: number[] = [];
  isClosed = false;
  /** Thrown by every call. */
  fault: Error | undefined;
  /** Wait for this before a read answers what it found. */
  readGate: Promise<void> | undefined;
  /** Wait for this before a batch is made. */
  applyGate: Promise<void> | undefined;
  #told: TierListener | undefined;

  constructor(name = "map") {
    this.name = name;
  }

  getMany(
    keys: readonly TierKey[],
  ): Promise<(TierEntry | undefined)[]> | (TierEntry | undefined)[] {
    this.#check();
    this.reads.push(keys.length);
    const found = keys.map(({ key }) => this.rows.get(textOf(key)));
    return this.readGate === undefined ? found : this.readGate.then(() => found);
  }

  apply(changes: readonly TierChange[]): void | Promise<void> {
    this.#check();
    this.batches.push(changes.length);
    const make = (): void => {
      for (const change of changes) this.#make(change);
    };
    return this.applyGate === undefined ? make() : this.applyGate.then(make);
  }

  #make(change: TierChange): void {
    switch (change.kind) {
      case "set":
        this.rows.set(textOf(change.key), change.entry);
        return;
      case "delete":
        this.rows.delete(textOf(change.key));
        return;
      case "clear":
        this.rows.clear();
        return;
      case "delete-by-tag":
        for (const [key, { tags }] of this.rows) {
          if (tags.includes(change.tag)) this.rows.delete(key);
        }
    }
  }

  health(): void {
    this.#check();
  }

  close(): void {
    this.isClosed = true;
  }

  subscribe(listener: TierListener): () => void {
    this.#told = listener;
    return () => {
      this.#told = undefined;
    };
  }

  /** Others delete a key. */
  deleteForOthers(key: string): void {
    this.rows.delete(key);
    this.#told?.ended({ kind: "delete", namespace: "", key: Buffer.from(key) });
  }

  get isSubscribed(): boolean {
    return this.#told !== undefined;
  }

  #check(): void {
    if (this.fault !== undefined) throw this.fault;
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key).toString();
}

/** A promise and what ends it. */
export function gate(): { readonly promise: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
