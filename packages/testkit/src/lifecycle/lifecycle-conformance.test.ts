import { needDebianPackage } from "../debian-packages.ts";
import { describeLifecycle } from "./lifecycle-conformance.ts";
import { createFakeSetting, createOciSetting, createProcessSetting } from "./setting.ts";

describeLifecycle("fake", createFakeSetting);
describeLifecycle("process", createProcessSetting);
describeLifecycle("oci", createOciSetting, await needDebianPackage("runc"));
