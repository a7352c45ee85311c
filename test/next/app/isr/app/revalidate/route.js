import { revalidatePath, revalidateTag } from "next/cache";

export async function POST(request) {
  const { tag, profile, path } = await request.json();
  if (path === undefined) revalidateTag(tag, profile);
  else revalidatePath(path);
  return Response.json({});
}
