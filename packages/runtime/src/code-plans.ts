import { planCode, type CodePlan } from "./container-folder.ts";
import type { CodeMount } from "./driver.ts";

/** Plans of code folders that are kept; the oldest goes. */
const PLANS_KEPT = 64;

/** Each code folder is read once, since such a folder is never written to. */
export class CodePlans {
  readonly #plans = new Map<string, Promise<CodePlan>>();

  /** A failure is not kept: the next call reads again. */
  get(code: CodeMount): Promise<CodePlan> {
    const key = JSON.stringify([code.codeId, code.sourceDir, code.nodeModules]);
    let plan = this.#plans.get(key);
    if (!plan) {
      plan = planCode(code);
      plan.catch(() => this.#plans.delete(key));
      this.#plans.set(key, plan);
      if (this.#plans.size > PLANS_KEPT) this.#plans.delete(this.#plans.keys().next().value!);
    }
    return plan;
  }
}
