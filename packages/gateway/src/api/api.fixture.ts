import { DEFAULT_OPTIONS, type AppRequest } from "@samovar/protocol";

export const APP: AppRequest = {
  manifest: {
    manifestVersion: 1,
    app: "demo",
    hasMain: false,
    functions: [
      {
        name: "model",
        kind: "cls",
        exportName: "model",
        options: DEFAULT_OPTIONS,
        hooks: { onBuild: [], onDeploy: [], onStart: [{ name: "load", cacheKey: "" }], onStop: [] },
        handler: null,
        schedule: null,
        methods: { predict: { streaming: false, batch: null, inputSchema: null, outputSchema: null, route: null, timeoutMs: undefined } },
        requiresParameters: false,
        builds: [[]],
      },
    ],
  },
  code: { codeId: "c1", files: [{ path: "dist/app.js", sha256: "0".repeat(64), sizeBytes: 3, mode: 0o644 }], entry: "dist/app.js", nodeModules: [] },
};

/** The lines of an NDJSON answer as they come. */
export async function* linesOf(response: Response): AsyncGenerator<unknown> {
  let rest = "";
  for await (const chunk of response.body!) {
    const lines = (rest + Buffer.from(chunk).toString()).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
}
