export const dynamic = "force-static";
export const revalidate = 3600;

export function GET() {
  return Response.json({ number: Math.floor(Math.random() * 1e9) });
}
