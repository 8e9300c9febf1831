/** What the options of the commands come to: read in program/, used in commands/. */
export interface AppFlags {
  readonly app?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly driver?: string;
  readonly forceBuild?: boolean;
}
export interface RunFlags extends AppFlags {
  readonly input?: string;
  readonly with?: string;
}
export interface ServeFlags extends AppFlags {
  /** Milliseconds; 0: never. */
  readonly timeout: number;
}
export interface UpFlags {
  readonly detach?: boolean;
  readonly port?: number;
  readonly host?: string;
  readonly data?: string;
  readonly driver?: string;
}
export interface JsonFlag {
  readonly json?: boolean;
}
export interface LogFlags extends JsonFlag {
  readonly follow?: boolean;
  readonly tail: number;
}
