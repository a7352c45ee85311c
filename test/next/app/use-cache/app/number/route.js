import { connection } from "next/server";
import { numberOf } from "../numbers.js";

export async function GET() {
  await connection();
  return Response.json({ number: await numberOf("shared") });
}
