import { afterEach, beforeEach, type TestContext } from "vitest";
import type { DriverCapabilities } from "@samovar/protocol";
import { RunningApp } from "./running-app.ts";
import type { LifecycleSetting } from "./setting.ts";

export interface CaseContext {
  /** Serves this app in a setting of its own, for one case. */
  serve(...args: Parameters<typeof RunningApp.start> extends [LifecycleSetting, ...infer Rest] ? Rest : never): Promise<RunningApp>;
  readonly setting: LifecycleSetting;
  /** Skips a case by the name of what the driver lacks. */
  need<K extends keyof DriverCapabilities>(context: TestContext, capability: K, ...values: readonly DriverCapabilities[K][]): void;
  needProcesses(context: TestContext): void;
  needClock(context: TestContext): void;
}

/** A fresh setting for each case, and nothing left of it after. */
export function useSetting(make: () => Promise<LifecycleSetting>): CaseContext {
  let setting: LifecycleSetting;
  let apps: RunningApp[] = [];
  beforeEach(async () => {
    setting = await make();
    apps = [];
  });
  afterEach(async () => {
    await Promise.all(apps.map((app) => app.dispose()));
    await setting.dispose();
  });
  return {
    get setting() {
      return setting;
    },
    async serve(...args) {
      const app = await RunningApp.start(setting, ...args);
      apps.push(app);
      return app;
    },
    need(context, capability, ...values) {
      const has = setting.driver.info.capabilities[capability];
      if (!values.includes(has)) context.skip(`needs ${capability} ${values.join(" or ")}, has ${String(has)}`);
    },
    needProcesses(context) {
      if (setting.fake) context.skip("needs real processes");
    },
    needClock(context) {
      if (!setting.fake) context.skip("needs a clock that can be moved");
    },
  };
}
