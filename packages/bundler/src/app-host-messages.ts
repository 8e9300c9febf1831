import type { AppManifest, SerializedError } from "@samovar/protocol";

/** What the host's process is started with, as its one argument. */
export interface HostConfig {
  /** URL of the bundle, in a folder of its own. */
  readonly bundleUrl: string;
  /** URL of the module it was made of: what is imported from outside is found as seen from there. */
  readonly moduleUrl: string;
  /** URL of the project's folder: where modules in the bundle think they are. */
  readonly codeRootUrl: string;
  readonly nodeModules: readonly string[];
  /** The author's file, absolute. */
  readonly file: string;
  /** What the app is called unless the module says. */
  readonly appName: string;
  /** URL of the SDK module that exports `createHttpTransport`; loaded only to run main. */
  readonly transportUrl: string | null;
}

export type HostMessage = { readonly type: "loaded"; readonly manifest: AppManifest } | { readonly type: "failed"; readonly error: SerializedError };

/** How handles reach the server while main runs. */
export interface TransportSettings {
  readonly url: string;
  readonly token: string;
  /** Ids of the functions by name. */
  readonly functionIds: Readonly<Record<string, string>>;
}

/** To the host: run main. */
export interface RunMessage {
  readonly type: "run";
  readonly args: readonly string[];
  readonly transport: TransportSettings | null;
}

export type HostRequest = RunMessage | { readonly type: "interrupt" };
