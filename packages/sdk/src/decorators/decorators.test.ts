import { describe, expect, test } from "vitest";
import { DEFINITION, type FunctionDefinition } from "@samovar/protocol";
import { loadApp, mistakeOf } from "../testing/load-app.fixture.ts";

const IMPORTS = `import { cls, method, onBuild, onDeploy, onStart, onStop } from "samovar";`;
const inClass = (members: string, options = "{}"): Promise<string> =>
  mistakeOf(`${IMPORTS} class Model { ${members} } export const model = cls(Model, ${options});`);

const definitionOf = (handle: unknown): FunctionDefinition => (handle as { [DEFINITION]: FunctionDefinition })[DEFINITION];

describe("a decorator in the wrong place", () => {
  test("a hook on a static method, onDeploy on an instance method", async () => {
    expect(await inClass("@onStart() static load() {} @method() run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: @onStart() stands on the static method load, but it runs in each worker, on its instance. Write:
        @onStart() protected async load(ctx) { … }"
    `);
    expect(await inClass("@onDeploy() prepare() {} @method() run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: @onDeploy() stands on the instance method prepare, but it runs once per version, where there is no instance. Write:
        @onDeploy() protected static async prepare(ctx) { … }"
    `);
  });

  test("on a field, an accessor or a class", async () => {
    expect(await inClass("@onStart() load = () => 1; @method() run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: @onStart() stands on the field load, but it marks a method. Write:
        @onStart() protected async load(ctx) { … }"
    `);
    expect(await inClass("@method() get run() { return 1; }")).toMatchInlineSnapshot(`
      "invalid_definition: @method() stands on the getter run, but it marks a method. Write:
        @method() run(input, ctx) { … }"
    `);
    expect(await mistakeOf(`${IMPORTS} @onStart() class Model { @method() run() {} } export const model = cls(Model);`)).toMatchInlineSnapshot(`
      "invalid_definition: @onStart() stands on the class Model, but it marks a method. Write:
        @onStart() protected async load(ctx) { … }"
    `);
  });

  test("a method that is static or private", async () => {
    expect(await inClass("@method() static run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: @method() stands on the static method run, but callers call methods of an instance. Write:
        @method() run(input, ctx) { … }"
    `);
    expect(await inClass("@method() #run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: @method() stands on the private method #run, but public methods are what callers see. Write:
        @method() run(input, ctx) { … }"
    `);
  });

  test("both a method and a hook, or twice the same", async () => {
    expect(await inClass("@method() @onStart() run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: @onStart() and @method() contradict each other on run: callers call methods, Samovar calls hooks. Make it two methods:
        @onStart() protected async prepare(ctx) { … }"
    `);
    expect(await inClass("@onStart() @onStart() load() {} @method() run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: @onStart() stands twice on load. Write:
        @onStart() protected async load(ctx) { … }"
    `);
  });

  test("without its parentheses", async () => {
    expect(await inClass("@method run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: @method needs its parentheses. Write:
        @method() run(input, ctx) { … }"
    `);
    expect(await inClass("@onStart load() {} @method() run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: @onStart needs its parentheses. Write:
        @onStart() protected async load(ctx) { … }"
    `);
    expect(await inClass("@onDeploy static prepare() {} @method() run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: @onDeploy needs its parentheses. Write:
        @onDeploy() protected static async prepare(ctx) { … }"
    `);
  });

  test("called the legacy way", async () => {
    const legacy = (decorators: string, name: string): Promise<string> =>
      mistakeOf(
        `${IMPORTS} class Model { ${name}() {} } ${decorators}(Model.prototype, "${name}", Object.getOwnPropertyDescriptor(Model.prototype, "${name}")); export {};`,
      );
    expect(await legacy("method()", "run")).toMatchInlineSnapshot(`
      "invalid_definition: @method() was called the legacy way. Remove "experimentalDecorators" from tsconfig.json: these are standard decorators. Then this is right:
        @method() run(input, ctx) { … }"
    `);
    expect(await legacy("onStart", "load")).toMatchInlineSnapshot(`
      "invalid_definition: @onStart was called the legacy way, and without its parentheses. Remove "experimentalDecorators" from tsconfig.json and write:
        @onStart() protected async load(ctx) { … }"
    `);
  });
});

describe("a class with a mistake", () => {
  test("decorators' options", async () => {
    expect(await inClass("@method({ rout: '/x' }) run() {}")).toMatchInlineSnapshot(`
      "invalid_option: @method at <site>: Unknown option "rout": did you mean "route"?
      Write:
        @method({ route: "/x" }) predict(input, ctx) { … }"
    `);
    expect(await inClass("@method({ route: 'v1 tokens', timeout: 0 }) run() {}")).toMatchInlineSnapshot(`
      "invalid_option: @method at <site> has 2 mistakes:
        - route is "v1 tokens", but it takes a path such as "/v1/tokens"
        - timeout is 0, but it takes 1 s to 24 h, or -1 for no limit
      Write:
        @method({ route: "/v1-tokens", timeout: "1s" }) predict(input, ctx) { … }"
    `);
    expect(await inClass("@onStart({ snapshop: true }) load() {} @method() run() {}")).toMatchInlineSnapshot(`
      "invalid_option: @onStart at <site>: Unknown option "snapshop": did you mean "snapshot"?
      Write:
        @onStart({ snapshot: true }) protected async load(ctx) { … }"
    `);
    expect(await inClass("@onBuild({ key: 'v1' }) load() {} @method() run() {}")).toMatchInlineSnapshot(`
      "invalid_option: @onBuild at <site>: key is "v1", but it takes a list
      Write:
        @onBuild({ key: ["v1"] }) protected async load(ctx) { … }"
    `);
  });

  test("has no method, or one whose name is reserved, or two that clash", async () => {
    expect(await inClass("predict() {} @onStart() load() {}")).toMatchInlineSnapshot(`
      "invalid_definition: cls(Model) at <site>: The class has no method that callers may call. Mark one, or list it
      Write:
        @method() predict(input, ctx) { … }
        cls(Model, { methods: ["predict"] })"
    `);
    expect(await inClass("@method() with() {}")).toMatchInlineSnapshot(`
      "invalid_definition: cls(Model) at <site>: The method name "with" is reserved: handles have a with of their own
      Write:
        @method() withModel(input, ctx) { … }"
    `);
    expect(await inClass("@method() run() {} @method() Run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: cls(Model) at <site>: run and Run clash: both are called at /run. Rename one, or give it another route
      Write:
        @method() Run2(input, ctx) { … }"
    `);
    expect(await inClass("@method({ route: '/run' }) other() {} @method() run() {}")).toMatchInlineSnapshot(`
      "invalid_definition: cls(Model) at <site>: other and run clash: both are called at /run. Rename one, or give it another route
      Write:
        @method() run2(input, ctx) { … }"
    `);
  });

  test("contradictions between class and method", async () => {
    expect(await inClass("@method({ batch: { maxBatchSize: 4, wait: 1 } }) run(xs) { return xs; }", "{ concurrency: 2 }")).toMatchInlineSnapshot(`
      "invalid_option: cls(Model) at <site>: concurrency (2) is below batch.maxBatchSize (4) of the method run: no batch could ever fill
      Write:
        cls(Model, { concurrency: 4 })"
    `);
    expect(await inClass("@method({ batch: { maxBatchSize: 4, wait: 1 } }) async *run(xs) {}")).toMatchInlineSnapshot(`
      "invalid_definition: cls(Model) at <site>: @method({ batch }) and a generator contradict each other on run: a batch method returns a list, one result for each input
      Write:
        @method({ batch: { … } }) async run(inputs, ctx) { return outputs; }"
    `);
    expect(await inClass("@method() run() {}", "{ batch: { maxBatchSize: 4, wait: 1 } }")).toMatchInlineSnapshot(`
      "invalid_option: cls(Model) at <site>: Unknown option "batch": it belongs to the method, as @method({ batch: { maxBatchSize, wait } })
      Write:
        cls(Model)"
    `);
  });

  test("the form without decorators", async () => {
    expect(await inClass("predict() {}", '{ methods: ["predct"] }')).toMatchInlineSnapshot(`
      "invalid_option: cls(Model) at <site>: methods lists "predct", but the class has no such method: did you mean "predict"?
      Write:
        cls(Model, { methods: ["predict"] })"
    `);
    expect(await inClass("predict() {} load() {}", '{ methods: ["predict"], onStart: ["laod"] }')).toMatchInlineSnapshot(`
      "invalid_option: cls(Model) at <site>: onStart lists "laod", but the class has no such method: did you mean "load"?
      Write:
        cls(Model, { methods: ["predict"], onStart: ["load"] })"
    `);
    expect(await inClass("predict() {} load() {}", '{ methods: ["predict", "load"], onStart: ["load"] }')).toMatchInlineSnapshot(`
      "invalid_option: cls(Model) at <site>: methods and onStart both list "load": callers call methods, Samovar calls hooks. Make it two methods
      Write:
        cls(Model, { methods: ["predict", "load"] })"
    `);
    expect(await inClass("@method() predict() {}", '{ methods: ["predict"] }')).toMatchInlineSnapshot(`
      "invalid_option: cls(Model) at <site>: methods and @method() contradict each other: predict is marked. Say it in one place
      Write:
        cls(Model)"
    `);
    expect(await mistakeOf(`${IMPORTS} export const model = cls({ predict() {} });`)).toMatchInlineSnapshot(`
      "invalid_definition: cls({}) at <site>: The first argument is not a class
      Write:
        cls(Model)"
    `);
  });
});

describe("a class's definition", () => {
  test("has its hooks base first, then as written, an override in the base's place and once", async () => {
    const { namespace } = await loadApp(`${IMPORTS}
      export const events = [];
      class Base {
        @onStart() protected first() { events.push("base first"); }
        @onStart() protected second() { events.push("base second"); }
        @onStop() protected close() { events.push("base close"); }
        @onDeploy() protected static prepare() { events.push("base prepare " + this.name); return 1; }
      }
      class Model extends Base {
        @onStart() protected zeta() { events.push("zeta"); }
        @onStart() #own() { events.push("#own"); }
        protected override first() { events.push("derived first"); }
        @onStart() protected override second() { events.push("derived second"); }
        @onBuild() @onStart() protected alpha() { events.push("alpha"); }
        @method() run() {}
      }
      export const model = cls(Model);
    `);
    const definition = definitionOf(namespace.model);
    const instance = definition.cls!.create([]);
    const runAll = async (kind: "onBuild" | "onDeploy" | "onStart" | "onStop", self: unknown): Promise<void> => {
      for (const hook of definition.hooks[kind]) await hook.run.call(self, {});
    };
    await runAll("onDeploy", undefined);
    await runAll("onBuild", instance);
    await runAll("onStart", instance);
    await runAll("onStop", instance);
    expect(namespace.events).toEqual(["base prepare Model", "alpha", "derived first", "derived second", "zeta", "#own", "alpha", "base close"]);
    expect(definition.hooks.onStart.map((hook) => hook.name)).toEqual(["first", "second", "zeta", "#own", "alpha"]);
  });

  test("a derived class does not change its base's own definition", async () => {
    const { extract } = await loadApp(`${IMPORTS}
      class Base { @method() ping() {} }
      class Derived extends Base { @method() pong() {} @onStart() protected load() {} }
      export const derived = cls(Derived);
      export const base = cls(Base);
    `);
    expect(extract().functions.map(({ methods, hooks }) => [Object.keys(methods), hooks.onStart.length])).toEqual([
      [["ping", "pong"], 1],
      [["ping"], 0],
    ]);
  });

  test("lists methods and hooks without decorators", async () => {
    const { namespace, extract } = await loadApp(`${IMPORTS}
      class Model { n = 0; load() { this.n = 1; } close() {} predict(x) { return x + this.n; } static prepare() { return 7; } async *tokens() {} }
      export const model = cls(Model, { methods: ["predict", "tokens"], onStart: ["load"], onStop: ["close"], onDeploy: ["prepare"], onBuild: [{ run: "load", key: ["v1"] }] });
    `);
    const { methods, hooks } = extract().functions[0]!;
    expect([methods.predict!.streaming, methods.tokens!.streaming]).toEqual([false, true]);
    expect(Object.fromEntries(Object.entries(hooks).map(([kind, list]) => [kind, list.map((hook) => hook.name)]))).toEqual({
      onBuild: ["load"],
      onDeploy: ["prepare"],
      onStart: ["load"],
      onStop: ["close"],
    });
    const definition = definitionOf(namespace.model);
    expect(await definition.hooks.onDeploy[0]!.run.call(undefined, {})).toBe(7);
    expect(await namespace.model.predict.local(1)).toBe(2);
  });

  test("says what methods take and how they are reached", async () => {
    const { extract } = await loadApp(`${IMPORTS} import { z } from "zod";
      class Model { @method({ route: "/v1/run", timeout: -1, input: z.object({ n: z.number() }) }) run(x) {} @method({ timeout: "5s" }) other() {} }
      export const model = cls(Model);
    `);
    const { run, other } = extract().functions[0]!.methods;
    expect(run).toMatchObject({ route: "/v1/run", timeoutMs: null, inputSchema: { type: "object", required: ["n"] } });
    expect(other).toMatchObject({ route: null, timeoutMs: 5_000, inputSchema: null });
  });

  test("knows whether its constructor has required parameters", async () => {
    const { extract } = await loadApp(`${IMPORTS}
      class None { @method() run() {} }
      class Optional { constructor(private size = "small") {} @method() run() { return this.size; } }
      class Need { constructor(private id: string) {} @method() run() { return this.id; } }
      class Maybe { constructor(private id?: string) {} @method() run() { return this.id; } }
      class Inherits extends Need { @onStart() protected load() {} }
      class Provides extends Need { constructor() { super("fixed"); } }
      export const none = cls(None), optional = cls(Optional), need = cls(Need), maybe = cls(Maybe), inherits = cls(Inherits), provides = cls(Provides);
    `);
    expect(extract().functions.map(({ name, requiresParameters }) => [name, requiresParameters])).toEqual([
      ["none", false],
      ["optional", false],
      ["need", true],
      ["maybe", false],
      ["inherits", true],
      ["provides", false],
    ]);
  });
});
