import { APP_LIFELINE } from "./lifelines.fixture.ts";

/** An app whose every phase tells the test that it is there, and waits where the test says so. */
export const ENDINGS_APP = `
import { fn, endpoint } from "samovar";
${APP_LIFELINE}
const hooks = {
  onStart: async (ctx) => {
    const phase = lifeline("starting");
    if (process.env.HOLD_START) await Promise.race([phase, new Promise((resolve) => ctx.signal.addEventListener("abort", resolve))]);
  },
  onStop: async (ctx) => { await lifeline("stopping " + ctx.reason); },
};
const held = async (_input, ctx) => {
  const released = lifeline("running");
  await Promise.race([released, new Promise((resolve) => ctx.signal.addEventListener("abort", resolve))]);
  return ctx.signal.aborted ? "aborted" : "released";
};
export const job = fn({ ...hooks, stopGracePeriod: 60 }, held);
export const page = endpoint({ ...hooks, stopGracePeriod: 60 }, held);
`;
