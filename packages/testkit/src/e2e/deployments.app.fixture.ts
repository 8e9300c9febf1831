import { APP_LIFELINE } from "./lifelines.fixture.ts";

export interface ShopOptions {
  /** What its functions answer with. */
  readonly text: string;
  /** Options of `page`, as source. */
  readonly page?: string;
  /** More definitions, as source. */
  readonly more?: string;
  readonly app?: string;
}

/** An app whose `page` says which source and version it is of, what its onDeploy returned, and who its sibling is. */
export function shop({ text, page = "", more = "", app = "shop" }: ShopOptions): string {
  return `
import { randomUUID } from "node:crypto";
import { App, endpoint, fn } from "samovar";
${APP_LIFELINE}
new App("${app}");
export const sibling = fn({}, () => "${text}");
export const page = endpoint(
  { concurrency: 4, onDeploy: () => randomUUID(), ${page} },
  async (input, ctx) => {
    if (input?.hold) await lifeline("running");
    return { text: "${text}", version: ctx.version, deployed: ctx.onDeployValue, sibling: input?.sibling ? await sibling.remote() : null };
  },
);
${more}
`;
}
