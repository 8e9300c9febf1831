import { endpoint, fn } from "samovar";

export const hello = endpoint({}, (input: { name?: string }) => ({ message: `Hello, ${input.name ?? "world"}!` }));

export const square = fn(
  { onStart: () => ({ startedAt: new Date() }) },
  (n: number, ctx) => `${n} × ${n} = ${n * n}, from a container that is warm since ${ctx.onStartValue.startedAt.toISOString()}`,
);

export default async function main() {
  for await (const line of square.map([1, 2, 3])) console.log(line);
}
