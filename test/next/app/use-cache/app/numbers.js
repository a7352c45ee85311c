import { cacheLife, cacheTag } from "next/cache";

/** Another number each time that it runs. */
export async function numberOf(id) {
  "use cache";
  cacheTag("numbers", `number-${id}`);
  cacheLife({ stale: 30, revalidate: 3600, expire: 86_400 });
  return Math.floor(Math.random() * 1e9);
}
