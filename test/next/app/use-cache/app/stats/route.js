import { connection } from "next/server";
import { attachCache } from "undercroft";

export async function GET() {
  await connection();
  const cache = attachCache("next");
  const { namespaces } = cache.stats();
  await cache.close();
  return Response.json({
    number: namespaces.find(({ name }) => name === "use-cache").memory.entries,
  });
}
