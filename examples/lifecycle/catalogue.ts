import { cls, method, onDeploy, onStart, onStop, type DeployCtx, type StartCtx, type StopCtx } from "samovar";

class Store {
  protected items: readonly string[] = [];

  @onStart() protected connect(ctx: StartCtx): void {
    ctx.log.info("2: hooks of the base come first");
  }

  @onStart() protected fill(_ctx: StartCtx): void {
    throw new Error("Never runs: it is overridden below");
  }

  @onStop() protected close(ctx: StopCtx): void {
    ctx.log.info("5: stop hooks run in the same order as start hooks, not in the reverse");
  }
}

class Catalogue extends Store {
  readonly #language: string;

  constructor(language = "en") {
    super();
    this.#language = language;
  }

  @onDeploy() protected static migrate(ctx: DeployCtx): void {
    ctx.log.info("1: once per version, on the class");
  }

  protected override fill(ctx: StartCtx): void {
    this.items = ["samovar", "teapot"];
    ctx.log.info("3: an override runs once, in its base's place");
  }

  @onStart() protected async translate(ctx: StartCtx): Promise<void> {
    this.items = this.items.map((item) => `${item} (${this.#language})`);
    ctx.log.info("4: then the class's own, in the order in which they are written");
  }

  @method() find(text: string): readonly string[] {
    return this.items.filter((item) => item.includes(text));
  }
}

export const catalogue = cls(Catalogue);
