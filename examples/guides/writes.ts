// Writes that keep source and cache in step; shown in docs/guides/invalidation.md.
import { openCache } from "undercroft";

interface User {
  readonly id: number;
  readonly name: string;
  readonly version: number;
}

const table = new Map<number, User>();
const users = await openCache<User>({ memory: "16mb" });
const histories = await openCache<readonly string[]>({ memory: "16mb", name: "histories" });

// write
async function rename(id: number, name: string): Promise<User> {
  return users.write(`user:${id}`, async () => {
    const user = { id, name, version: (table.get(id)?.version ?? 0) + 1 };
    table.set(id, user); // the source, while the entry is dead
    return user; // stored when this resolves
  });
}

await rename(7, "Ada");
console.log(users.getSync("user:7")?.name); // Ada

// revision
const second = { id: 8, name: "second", version: 2 };
const first = { id: 8, name: "first", version: 1 };
console.log(users.set("user:8", second, { revision: second.version })); // stored
console.log(users.set("user:8", first, { revision: first.version })); // outdated
console.log(users.getSync("user:8")?.name); // second

// update
const append = (line: string) =>
  histories.update("user:7", (lines) => [...lines, line], { absent: [line] });
console.log(append("hello"), append("bye")); // stored stored
console.log(histories.getSync("user:7")?.join()); // hello,bye

// the end
await users.close();
await histories.close();
