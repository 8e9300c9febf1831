import { createHash } from "node:crypto";
import type { AppManifest, AppRequest, CodeObject } from "@samovar/protocol";

export interface AppRequestFlags {
  /** Variables of `--env`. */
  readonly env: Readonly<Record<string, string>>;
  readonly forceBuild: boolean;
}

/** What a server is sent of an app: its manifest with the variables of `--env`, its code, and the key of its onDeploy. */
export function toAppRequest(manifest: AppManifest, code: CodeObject, { env, forceBuild }: AppRequestFlags): AppRequest {
  return { manifest: withEnv(manifest, env), code, deployKey: toDeployKey(manifest, code), ...(forceBuild ? { forceBuild } : {}) };
}

function withEnv(manifest: AppManifest, env: Readonly<Record<string, string>>): AppManifest {
  if (Object.keys(env).length === 0) return manifest;
  return { ...manifest, functions: manifest.functions.map((fn) => ({ ...fn, options: { ...fn.options, env: { ...fn.options.env, ...env } } })) };
}

/**
 * Changes when an onDeploy hook does. A hook whose key the SDK could not tell counts as changed with any change of
 * the code: run once too often is better than once too seldom.
 */
function toDeployKey(manifest: AppManifest, code: CodeObject): string {
  const hooks = manifest.functions.flatMap((fn) => fn.hooks.onDeploy.map((hook) => [fn.name, hook.name, hook.cacheKey || code.codeId]));
  return createHash("sha256").update(JSON.stringify(hooks)).digest("hex");
}
