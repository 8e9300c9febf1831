import { fn } from "samovar";

/** A unit of work. Containers for it are started as inputs come, four at most; what fails is tried again. */
export const countWords = fn({ maxContainers: 4, concurrency: 2, retries: 2, timeout: "1m" }, (text: string, ctx) => {
  ctx.log.info(`counting ${text.length} characters`);
  return text.split(/\s+/).filter((word) => word !== "").length;
});

/** What `samovar run app.ts` runs: here, on your machine, while the calls are answered in containers. */
export default async function main(...texts: string[]): Promise<void> {
  const inputs = texts.length > 0 ? texts : ["to be or not to be", "that is the question", ""];
  let total = 0;
  for await (const count of countWords.map(inputs)) total += count;
  console.log(`${total} words in ${inputs.length} texts`);
}
