import { afterAll } from "vitest";
import { needDebianPackage } from "../debian-packages.ts";
import { describeLifecycle } from "./lifecycle-conformance.ts";
import { LifecycleGround, createFakeSetting, createOciSetting, createProcessSetting } from "./setting.ts";

const ground = await LifecycleGround.make();
afterAll(() => ground.dispose());

describeLifecycle("fake", createFakeSetting);
describeLifecycle("process", () => createProcessSetting(ground));
describeLifecycle("oci", () => createOciSetting(ground), await needDebianPackage("runc"));
