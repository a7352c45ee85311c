// lmdb: a memory-mapped store that every thread and process shares. Default options: msgpack
// values, fsync at each commit.

import { open, type RootDatabase } from "lmdb";

import { TemporaryDirectory } from "../temporary-directory.js";
import { keyOf, profileOf, type Profile } from "../workload.js";
import type { Peer } from "./peer.js";

export class LmdbPeer implements Peer {
  readonly name = "lmdb";
  readonly #directory = new TemporaryDirectory("lmdb");
  readonly database: RootDatabase<Profile, string> = open<Profile, string>({
    path: this.#directory.path,
    maxDbs: 1,
  });

  fill(from: number, to: number, keys?: readonly string[]): void {
    this.database.transactionSync(() => {
      for (let id = from; id < to; id++) {
        this.database.putSync(keys?.[id] ?? keyOf(id), profileOf(id));
      }
    });
  }

  getFresh(draws: Uint32Array, from: number, to: number): number {
    const database = this.database;
    let found = 0;
    for (let i = from; i < to; i++) {
      const value = database.get(keyOf(draws[i] as number));
      if (value !== undefined && value.id >= 0) found++;
    }
    return found;
  }

  getInterned(keys: readonly string[], draws: Uint32Array, from: number, to: number): number {
    const database = this.database;
    let found = 0;
    for (let i = from; i < to; i++) {
      const value = database.get(keys[draws[i] as number] as string);
      if (value !== undefined && value.id >= 0) found++;
    }
    return found;
  }

  async close(): Promise<void> {
    await this.database.close();
    this.#directory.remove();
  }
}
