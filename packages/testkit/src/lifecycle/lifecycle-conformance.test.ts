import { describeLifecycle } from "./lifecycle-conformance.ts";
import { createFakeSetting, createProcessSetting } from "./setting.ts";

describeLifecycle("fake", createFakeSetting);
describeLifecycle("process", createProcessSetting);
