import type { Code } from "@samovar/bundler";
import type { ControlClient } from "../client/control-client.ts";

const PARALLEL = 8;

/** Sends what the server lacks of the code's contents, and nothing else. */
export async function sendCode(client: ControlClient, code: Code, signal: AbortSignal): Promise<void> {
  const wanted = [...new Set(code.object.files.map((file) => file.sha256))];
  const missing = (await client.missingBlobs(wanted, signal)).values();
  const work = async (): Promise<void> => {
    for (const sha256 of missing) await client.putBlob(sha256, code.readContent(sha256), signal);
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
}
