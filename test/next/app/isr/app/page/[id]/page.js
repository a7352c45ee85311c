export const revalidate = 3600;
export const generateStaticParams = () => Array.from({ length: 12 }, (_, id) => ({ id: `${id}` }));

export default async function Page() {
  const next = { tags: ["data"], revalidate: 3600 };
  const response = await fetch(process.env.ORIGIN, { next });
  const data = await response.text();
  return <p>{`number=${Math.floor(Math.random() * 1e9)};data=${data};`}</p>;
}
