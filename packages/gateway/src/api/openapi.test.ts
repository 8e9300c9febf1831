import { Validator } from "@seriousme/openapi-schema-validator";
import { afterEach, expect, test } from "vitest";
import { disposeGateways, startGateway } from "../gateway.fixture.ts";
import { ROUTES } from "./routes.ts";

afterEach(disposeGateways);

interface Document {
  readonly openapi: string;
  readonly paths: Record<
    string,
    Record<string, { readonly responses: Record<string, unknown>; readonly parameters?: readonly { readonly name: string }[]; readonly requestBody?: unknown }>
  >;
  readonly components: { readonly schemas: Record<string, { readonly properties?: Record<string, unknown> }> };
}

test("the document is valid OpenAPI 3.1 and describes every route, its parameters, its body and its answers", async () => {
  const { request } = await startGateway([]);
  const document = (await (await request("/api/v1/openapi.json")).json()) as Document;
  const validator = new Validator();
  const result = await validator.validate(structuredClone(document) as never);
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
  expect(document.openapi).toMatch(/^3\.1\./);
  for (const route of ROUTES) {
    const operation = document.paths[`/api/v1${route.path}`]?.[route.method];
    expect(operation, `${route.method} ${route.path}`).toBeDefined();
    expect(Object.keys(operation!.responses)).toContain(String(route.answer.status));
    expect(operation!.requestBody !== undefined).toBe(route.body !== undefined);
    expect((operation!.parameters ?? []).map(({ name }) => name)).toEqual([
      ...Object.keys(route.params?.shape ?? {}),
      ...Object.keys(route.query?.shape ?? {}),
    ]);
  }
  // And the one that is no route: the upgrade to a WebSocket.
  expect(Object.values(document.paths).flatMap((path) => Object.keys(path))).toHaveLength(ROUTES.length + 1);
});

test("the WebSocket into a container is described as the upgrade that it is", async () => {
  const { request } = await startGateway([]);
  const document = (await (await request("/api/v1/openapi.json")).json()) as Document;
  const exec = document.paths["/api/v1/containers/{id}/exec"]!["get"]!;
  expect(Object.keys(exec.responses)).toEqual(["101", "401", "403", "426", "default"]);
  expect((exec as { readonly description?: string }).description).toMatch(/ExecRequest[^]*ExecSignals[^]*ExecReplies[^]*0 stdin, 1 stdout, 2 stderr/);
  expect((await request("/api/v1/containers/ct_1/exec")).status).toBe(426);
});

test("named schemas refer to each other, and every reference resolves", async () => {
  const { request } = await startGateway([]);
  const document = (await (await request("/api/v1/openapi.json")).json()) as Document;
  const references = new Set([...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref!));
  expect(references).toContain("#/components/schemas/ContainerInfo");
  expect(document.components.schemas["ContainerInfo"]!.properties!["phases"]).toEqual({ type: "array", items: { $ref: "#/components/schemas/PhaseEvent" } });
  for (const reference of references) expect(Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`)).toContain(reference);
});
