import type { CallableManifest, FunctionDefinition, FunctionKind, HookManifest, HookKind, MethodManifest, ScheduleManifest } from "@samovar/protocol";
import type { App } from "../app.ts";
import type { CodeShape, RawOptions } from "../options/mistakes.ts";
import type { ReadOptions } from "../options/resolve-options.ts";

/** One definition as the SDK knows it: what its handle carries, and what the manifest is made of. */
export interface DefinitionRecord {
  readonly kind: FunctionKind;
  readonly handle: object;
  readonly definition: FunctionDefinition;
  /** The `name` option. */
  readonly ownName: string | null;
  /** Set when the module is bound. */
  exportName: string | null;
  /** Null: the module's one app. */
  readonly app: App | null;
  readonly options: RawOptions;
  readonly shape: CodeShape;
  /** The line that defined it, for messages. */
  readonly site: () => string;
  /** The handler's or class's own name, for messages. */
  readonly label: string;
  readonly read: (options: RawOptions) => ReadOptions;
  /** The largest batch: workers must be able to hold it. */
  readonly batchSize: number;
  /** `sources`: the texts of the app's modules, as far as they can be read; asked for only where they matter. */
  readonly describe: (sources: () => readonly string[]) => DefinitionDescription;
}

/** The parts of the manifest that the options do not decide. Made only when the manifest is. */
export interface DefinitionDescription {
  readonly handler: CallableManifest | null;
  readonly schedule: ScheduleManifest | null;
  readonly methods: Readonly<Record<string, MethodManifest>>;
  readonly hooks: Readonly<Record<HookKind, readonly HookManifest[]>>;
  readonly requiresParameters: boolean;
  readonly builds: readonly (readonly unknown[])[];
}

/** The name it is called by; null until it has one. */
export const nameOf = (record: Pick<DefinitionRecord, "ownName" | "exportName">): string | null => record.ownName ?? record.exportName;
