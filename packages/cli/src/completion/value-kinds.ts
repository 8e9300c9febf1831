import { TASK_STATUSES } from "@samovar/protocol";
import type { NameKind } from "./names.ts";

/** What can stand in a place of the command line. `target`: what runs, or a file. `none`: nothing that could be known. */
export type ValueKind = NameKind | "file" | "folder" | "none" | readonly string[];

/** By command and argument; what is not listed is `none`. */
const ARGUMENTS: Readonly<Record<string, ValueKind>> = {
  "completion shell": ["bash", "zsh", "fish"],
  "init folder": "folder",
  "run target": "file",
  "run args": "file",
  "serve target": "file",
  "deploy target": "file",
  "logs name": "function",
  "shell target": "target",
  "container inspect id": "container",
  "container stop id": "container",
  "container logs id": "container",
  "container exec id": "container",
  "deployment inspect name": "deployment",
  "deployment stop name": "deployment",
  "deployment start name": "deployment",
  "deployment scale name": "deployment",
  "deployment rollback name": "deployment",
  "deployment delete name": "deployment",
  "task get id": "task",
  "task put name": "function",
  "task cancel ids": "task",
  "task retry ids": "task",
  "task logs id": "task",
  "schedule inspect name": "schedule",
  "schedule run name": "schedule",
  "schedule pause name": "schedule",
  "schedule resume name": "schedule",
  "callback retry id": "callback",
  "token revoke token": "token",
  "backup file": "file",
  "restore file": "file",
};

/** By long flag, wherever it stands. */
const OPTIONS: Readonly<Record<string, ValueKind>> = {
  "--app": "app",
  "--data": "folder",
  "--function": "function",
  "--status": TASK_STATUSES,
  "--scope": ["invoke", "deploy", "admin"],
};

export const argumentKind = (commandPath: string, argument: string): ValueKind => ARGUMENTS[`${commandPath} ${argument}`] ?? "none";
export const optionKind = (flag: string | undefined): ValueKind => OPTIONS[flag ?? ""] ?? "none";

/** For the test: what the tables name must be there. */
export const namedPlaces: readonly string[] = [...Object.keys(ARGUMENTS), ...Object.keys(OPTIONS)];
