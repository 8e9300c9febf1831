/** First in every backup. */
export interface BackupManifest {
  /** Of the archive; a later one is refused. */
  readonly format: 1;
  /** Of Samovar, which wrote it. */
  readonly version: string;
  readonly createdAtMs: number;
}

/**
 * Paths in a backup, in this order. The database has all that was acknowledged; code the folders that deployed versions
 * run; the secret what callbacks are signed with, so that their receivers go on trusting them. `checksum` is the SHA-256
 * of all bytes before it.
 */
export const LAYOUT = {
  manifest: "samovar-backup.json",
  database: "samovar.db",
  callbackSecret: "callback-secret",
  code: "code",
  checksum: "samovar-backup.sha256",
} as const;

export const CODE_ID = /^[0-9a-f]{64}$/;
