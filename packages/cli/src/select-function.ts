import { findNear, sortByNearness } from "@samovar/kit";
import { SamovarError, type AppManifest, type CallableManifest, type FunctionKind, type FunctionManifest } from "@samovar/protocol";
import type { Target } from "./target.ts";

/** What `FILE:NAME.METHOD` names in an app. */
export interface Selection {
  readonly fn: FunctionManifest;
  readonly method: string | null;
  readonly callable: CallableManifest;
}

/** The function of that name, or of that export. Throws with the names there are, nearest first. */
export function selectFunction(manifest: AppManifest, target: Pick<Target, "label" | "name">): FunctionManifest {
  const wanted = target.name!;
  const fn = manifest.functions.find((each) => each.name === wanted) ?? manifest.functions.find((each) => each.exportName === wanted);
  if (fn) return fn;
  throw unknownName(
    `${target.label} has no function ${JSON.stringify(wanted)}`,
    wanted,
    manifest.functions.map((each) => each.name),
    manifest.functions.length === 0 ? 'Define one and export it, such as export const hello = endpoint({}, () => "hi")' : null,
  );
}

const KIND_WORDS: Readonly<Record<FunctionKind, string>> = {
  endpoint: "an endpoint",
  function: "a function",
  taskqueue: "a task queue",
  schedule: "a schedule",
  cls: "a class",
};

/** The function, and for a class its method, that `samovar run` calls. */
export function selectCallable(manifest: AppManifest, target: Pick<Target, "label" | "name" | "method">): Selection {
  const fn = selectFunction(manifest, target);
  const methods = Object.keys(fn.methods);
  if (fn.kind !== "cls") {
    if (target.method === null) return { fn, method: null, callable: fn.handler! };
    throw new SamovarError("not_found", `${fn.name} has no methods: it is ${KIND_WORDS[fn.kind]}, not a class`, {
      fields: { fix: `Call it as ${target.label}:${fn.name}` },
    });
  }
  if (target.method === null) {
    throw new SamovarError("invalid_request", `${fn.name} is a class: say which method to call`, {
      fields: {
        fix: methods.length > 0 ? `One of ${methods.map((method) => `${target.label}:${fn.name}.${method}`).join(", ")}` : "Mark a method of it with @method()",
      },
    });
  }
  const callable = Object.hasOwn(fn.methods, target.method) ? fn.methods[target.method] : undefined;
  if (callable) return { fn, method: target.method, callable };
  throw unknownName(`${fn.name} has no method ${JSON.stringify(target.method)}`, target.method, methods, "Mark a method of it with @method()");
}

function unknownName(what: string, wanted: string, names: readonly string[], fixWithout: string | null): SamovarError {
  const sorted = sortByNearness(wanted, names);
  const first = sorted[0];
  if (first === undefined) return new SamovarError("not_found", what, fixWithout ? { fields: { fix: fixWithout } } : {});
  return new SamovarError("not_found", what, {
    fields: { fix: `${findNear(wanted, [first]).length > 0 ? `Did you mean ${first}? ` : ""}There ${sorted.length === 1 ? "is" : "are"} ${sorted.join(", ")}` },
  });
}
