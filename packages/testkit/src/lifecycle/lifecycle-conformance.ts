import { describe } from "vitest";
import { useSetting } from "./case-context.ts";
import { failureCases } from "./failure-cases.ts";
import { inputCases } from "./input-cases.ts";
import { orderCases } from "./order-cases.ts";
import { poolCases } from "./pool-cases.ts";
import { stoppingCases } from "./stopping-cases.ts";
import type { LifecycleSetting } from "./setting.ts";

/**
 * docs/lifecycle.md as tests: small apps and the events they must lead to. Every runtime driver passes it; a case
 * that needs a capability, real processes or a clock that can be moved names it and is skipped without. `missing`: why
 * this machine can't make such settings; all is skipped by it.
 */
export function describeLifecycle(name: string, make: () => Promise<LifecycleSetting>, missing: string | null = null): void {
  // Its reason is `missing`, and stands in the name.
  describe.skipIf(missing !== null)(`lifecycle on ${name}${missing === null ? "" : ` (${missing})`}`, () => {
    const at = useSetting(make);
    orderCases(at);
    failureCases(at);
    stoppingCases(at);
    inputCases(at);
    poolCases(at);
  });
}
