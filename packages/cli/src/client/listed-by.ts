import { SamovarError } from "@samovar/protocol";
import { API } from "./paths.ts";

/** The command that shows what there is, by what is asked for. */
const LISTS: Readonly<Record<string, string>> = {
  callbacks: "callback list",
  containers: "container list --all",
  deployments: "deployment list",
  functions: "ps",
  logs: "ps",
  schedules: "schedule list",
  tasks: "task list",
  tokens: "token list",
};

/** An answer that what is asked for is not there, with the command that lists what is; others as they are. */
export function tellList(error: Error, path: string): Error {
  if (!(error instanceof SamovarError) || error.code !== "not_found" || typeof error.fields.fix === "string") return error;
  const noun = path.startsWith(`${API}/`) ? /^[^/?]*/.exec(path.slice(API.length + 1))![0] : "";
  if (!Object.hasOwn(LISTS, noun)) return error;
  const fix = `\`samovar ${LISTS[noun]}\` shows what there is`;
  return new SamovarError(error.code, error.message, { fields: { ...error.fields, fix }, cause: error.cause });
}
