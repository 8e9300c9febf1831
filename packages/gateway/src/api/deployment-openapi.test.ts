import { Validator } from "@seriousme/openapi-schema-validator";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { DEFAULT_OPTIONS, type CallableManifest, type FunctionManifest, type MethodManifest } from "@samovar/protocol";
import { FakeFunction } from "../fakes.fixture.ts";
import { disposeGateways, startGateway } from "../gateway.fixture.ts";
import { createDeploymentOpenApi, type DescribedVersion } from "./deployment-openapi.ts";
import { deploymentOf } from "./fake-deployments.fixture.ts";

afterEach(disposeGateways);

const CALLABLE: CallableManifest = { streaming: false, batch: null, inputSchema: null, outputSchema: null };
const method = (changes: Partial<MethodManifest> = {}): MethodManifest => ({ ...CALLABLE, route: null, timeoutMs: undefined, ...changes });

function manifestOf(changes: Partial<FunctionManifest> & { readonly authorized?: boolean } = {}): FunctionManifest {
  const { authorized = true, ...rest } = changes;
  return {
    name: "predict",
    kind: "endpoint",
    exportName: "predict",
    options: { ...DEFAULT_OPTIONS, authorized },
    hooks: { onBuild: [], onDeploy: [], onStart: [], onStop: [] },
    handler: rest.kind === "cls" ? null : CALLABLE,
    schedule: null,
    methods: {},
    requiresParameters: false,
    builds: [[]],
    ...rest,
  };
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: unknown;
  readonly content?: unknown;
}
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Record<string, unknown> };
  readonly responses: Record<string, { readonly description: string; readonly content?: Record<string, { readonly schema?: unknown }> }>;
}
interface Document {
  readonly openapi: string;
  readonly info: unknown;
  readonly servers: unknown;
  readonly security: unknown;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    readonly schemas: Record<string, Record<string, unknown>>;
    readonly parameters: Record<string, Parameter>;
    readonly securitySchemes?: unknown;
  };
}

/** The document, after the meta-schema and a look that every reference in it leads somewhere and every operation has a name of its own. */
async function describeFunction(manifest: FunctionManifest, changes: Partial<DescribedVersion> = {}): Promise<Document> {
  const { name, options } = manifest;
  const asked = { manifest, name, version: 3, asVersion: false, authorized: options.authorized, url: "http://127.0.0.1:8700" };
  const document = createDeploymentOpenApi({ ...asked, ...changes });
  const result = await new Validator().validate(structuredClone(document) as never);
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
  for (const [, ref] of JSON.stringify(document).matchAll(/"\$ref":"(#[^"]*)"/g)) {
    const found = ref!
      .split("/")
      .slice(1)
      .reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part.replaceAll("~1", "/").replaceAll("~0", "~")], document);
    expect([ref, typeof found]).toEqual([ref, "object"]);
  }
  const ids = Object.values((document as unknown as Document).paths).flatMap((item) => Object.values(item).map(({ operationId }) => operationId));
  expect(new Set(ids).size).toBe(ids.length);
  return document as unknown as Document;
}

const schemaOf = (schema: z.ZodType): Record<string, unknown> => z.toJSONSchema(schema, { io: "input" }) as Record<string, unknown>;
const QUEUE = ["Prefer", "IdempotencyKey", "Delay", "Priority", "Ttl", "ConcurrencyKey"].map((name) => ({ $ref: `#/components/parameters/${name}` }));
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

describe("an endpoint", () => {
  const input = schemaOf(z.object({ text: z.string().min(1), tags: z.array(z.string()).optional() }));
  const output = schemaOf(z.object({ score: z.number() }));

  test("with schemas is called with a query or a JSON body of its input", async () => {
    const document = await describeFunction(manifestOf({ handler: { ...CALLABLE, inputSchema: input, outputSchema: output } }));
    expect(document).toMatchObject({
      openapi: "3.1.1",
      info: { title: "predict", version: "3" },
      servers: [{ url: "http://127.0.0.1:8700" }],
      security: [{ bearer: [] }],
      components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
    });
    expect(Object.keys(document.paths)).toEqual(["/endpoint/predict"]);
    const { get, post } = document.paths["/endpoint/predict"]!;
    expect(get!.parameters).toEqual([
      { name: "text", in: "query", required: true, schema: { type: "string", minLength: 1 } },
      { name: "tags", in: "query", required: false, schema: { type: "array", items: { type: "string" } } },
      ...QUEUE,
    ]);
    expect(get!.requestBody).toBeUndefined();
    expect(post!.parameters).toEqual(QUEUE);
    expect(post!.requestBody).toEqual({ required: true, content: { "application/json": { schema: ref("Input") } } });
    expect(post!.responses["200"]!.content).toEqual({ "application/json": { schema: ref("Output") } });
    expect(post!.responses["204"]).toBeUndefined();
    expect(document.components.schemas["Output"]).toMatchObject({ properties: { score: { type: "number" } } });
  });

  test("without schemas takes anything and may return anything, or nothing", async () => {
    const { get, post } = (await describeFunction(manifestOf())).paths["/endpoint/predict"]!;
    expect(get!.parameters).toMatchObject([{ in: "query", style: "form", explode: true }, ...QUEUE]);
    expect(post!.requestBody).toMatchObject({ required: false, content: { "application/json": {}, "*/*": {} } });
    expect(Object.keys(post!.responses)).toEqual(expect.arrayContaining(["200", "204"]));
  });

  test("whose input is no object has no query for it", async () => {
    const of = async (inputSchema: Record<string, unknown>) =>
      Object.keys((await describeFunction(manifestOf({ handler: { ...CALLABLE, inputSchema } }))).paths["/endpoint/predict"]!);
    expect(await of({ type: "string" })).toEqual(["post"]);
    expect(await of({ type: ["object", "null"], properties: {} })).toEqual(["get", "post"]);
    expect(await of(schemaOf(z.union([z.object({ a: z.string() }), z.object({ b: z.string() })])))).toEqual(["get", "post"]);
  });

  test("that is public needs no token, and none of its answers is about tokens", async () => {
    const open = await describeFunction(manifestOf({ authorized: false }));
    expect([open.security, open.components.securitySchemes]).toEqual([[], undefined]);
    const responses = Object.keys(open.paths["/endpoint/predict"]!["post"]!.responses);
    expect(responses).not.toContain("401");
    // As an old version is whose active one asks for a token.
    const closed = (await describeFunction(manifestOf({ authorized: false }), { authorized: true })).paths["/endpoint/predict"]!["post"]!.responses;
    expect(closed["401"]!.content!["application/problem+json"]!.schema).toEqual({ ...ref("Problem"), properties: { code: { enum: ["unauthorized"] } } });
    expect(closed["503"]!.description).toContain("`no_capacity`: No container had room in time");
    expect(Object.keys(closed)).toEqual(expect.arrayContaining(["400", "403", "404", "413", "422", "429", "500", "502", "504", "default"]));
  });

  test("that streams says so, in both forms", async () => {
    const { post } = (await describeFunction(manifestOf({ handler: { ...CALLABLE, streaming: true, outputSchema: { type: "string" } } }))).paths[
      "/endpoint/predict"
    ]!;
    expect(post!.responses["200"]!.content).toEqual({ "application/x-ndjson": { schema: ref("Output") }, "text/event-stream": { schema: ref("Output") } });
  });

  test("of a version has that version's path", async () => {
    expect(Object.keys((await describeFunction(manifestOf(), { asVersion: true })).paths)).toEqual(["/endpoint/predict@3"]);
  });
});

test.each(["endpoint", "function", "taskqueue", "schedule"] as const)("calls of the kind %s are queued as its description says", async (kind) => {
  const document = await describeFunction(manifestOf({ kind }));
  const item = document.paths[`/${kind}/predict`]!;
  expect(Object.keys(item)).toEqual(kind === "endpoint" ? ["get", "post"] : ["post"]);
  const { parameters, responses, requestBody } = item["post"]!;
  expect(parameters).toEqual(QUEUE);
  expect(Object.keys(responses)).toEqual(expect.arrayContaining(["200", "202", "410", "422"]));
  expect(requestBody === undefined).toBe(kind === "schedule");
  expect(Object.values(document.components.parameters).map(({ name }) => name)).toEqual([
    "Prefer",
    "idempotency-key",
    "x-samovar-delay",
    "x-samovar-priority",
    "x-samovar-ttl",
    "x-samovar-concurrency-key",
  ]);
});

describe("a class", () => {
  test("has a path for each method, and for each route of one", async () => {
    const document = await describeFunction(
      manifestOf({
        kind: "cls",
        requiresParameters: true,
        methods: {
          run: method({ inputSchema: schemaOf(z.object({ with: z.string(), x: z.number() })) }),
          tokens: method({ streaming: true, route: "/v1/tokens/{id}" }),
          $odd: method({ inputSchema: { type: "object" }, route: "$odd" }),
        },
      }),
    );
    expect(Object.keys(document.paths)).toEqual(["/cls/predict/run", "/cls/predict/tokens", "/cls/predict/v1/tokens/%7Bid%7D", "/cls/predict/%24odd"]);
    const { get, post } = document.paths["/cls/predict/run"]!;
    const parameters = { name: "with", in: "query", required: true, content: { "application/json": { schema: { type: "array" } } } };
    expect(get!.parameters).toMatchObject([{ name: "x" }, parameters, ...QUEUE]);
    expect(post!.parameters).toMatchObject([parameters, ...QUEUE]);
    expect(Object.keys(document.components.schemas)).toEqual(["Problem", "run.Input", "method2.Input"]);
  });

  test("without required arguments may be called without any", async () => {
    const document = await describeFunction(manifestOf({ kind: "cls", methods: { run: method() } }));
    expect(document.paths["/cls/predict/run"]!["post"]!.parameters).toMatchObject([{ name: "with", required: false }, ...QUEUE]);
  });
});

describe("schemas of users", () => {
  test("that refer to their own parts do so in the document, too", async () => {
    const Tree: z.ZodType = z.object({
      value: z.string(),
      get children() {
        return z.array(Tree);
      },
    });
    const document = await describeFunction(
      manifestOf({ handler: { ...CALLABLE, inputSchema: schemaOf(z.object({ tree: Tree })), outputSchema: schemaOf(Tree) } }),
    );
    const input = JSON.stringify(document.components.schemas["Input"]);
    expect(input).toContain('"$ref":"#/components/schemas/Input/$defs/');
    expect(JSON.stringify(document.components.schemas["Output"])).toContain('"$ref":"#/components/schemas/Output"');
    expect(document.paths["/endpoint/predict"]!["get"]!.parameters).toMatchObject([
      { name: "tree", schema: { $ref: expect.stringMatching(/^#\/components\/schemas\/Input\/\$defs\//) as string } },
      ...QUEUE,
    ]);
  });

  test("keep their data and their names, whatever those look like, and lose their own address", async () => {
    const inputSchema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      $id: "https://example.com/input",
      type: "object",
      properties: { $ref: { type: "string" }, enum: { $ref: "#/$defs/kind" }, default: { const: { $ref: "#/$defs/kind" } } },
      default: { $ref: "#" },
      $defs: { kind: { enum: ["a", { $ref: "#" }] }, elsewhere: { $ref: "https://example.com/other" } },
    };
    const document = createDeploymentOpenApi({
      manifest: manifestOf({ handler: { ...CALLABLE, inputSchema } }),
      name: "predict",
      version: 1,
      asVersion: false,
      authorized: true,
      url: "/",
    }) as unknown as Document;
    expect(document.components.schemas["Input"]).toEqual({
      type: "object",
      properties: { $ref: { type: "string" }, enum: ref("Input/$defs/kind"), default: { const: { $ref: "#/$defs/kind" } } },
      default: { $ref: "#" },
      $defs: { kind: { enum: ["a", { $ref: "#" }] }, elsewhere: { $ref: "https://example.com/other" } },
    });
  });
});

describe("over the control API", () => {
  test("the active version is described, or the one asked for", async () => {
    const { request, control } = await startGateway([1, 2].map((version) => new FakeFunction({ kind: "function", version })));
    const ask = async (query: string): Promise<Document> => (await request(`/api/v1/deployments/predict/openapi.json${query}`)).json() as Promise<Document>;
    expect(await ask("")).toMatchObject({ info: { version: "2" }, servers: [{ url: control.server().url }], paths: { "/function/predict": {} } });
    expect(await ask("?version=1")).toMatchObject({ info: { version: "1" }, paths: { "/function/predict@1": {} } });
    expect(await ask("?version=3")).toMatchObject({ status: 404, code: "not_found", detail: "predict has no version 3: it has 2, 1" });
  });

  test("a version that is known and not served is not described", async () => {
    const { request, control } = await startGateway([]);
    control.deployments.all.push(deploymentOf("lost", "app", 1));
    expect((await request("/api/v1/deployments/lost/openapi.json")).status).toBe(404);
  });
});
