import { connection } from "next/server";
import { Suspense } from "react";
import { numberOf } from "../../numbers.js";

export const generateStaticParams = () => Array.from({ length: 12 }, (_, id) => ({ id: `${id}` }));

async function Shared() {
  await connection();
  return <p>{`number=${await numberOf("shared")};`}</p>;
}

export default async function Page({ params }) {
  const { id } = await params;
  return (
    <main>
      <h1>{await numberOf(id)}</h1>
      <Suspense fallback="">
        <Shared />
      </Suspense>
    </main>
  );
}
