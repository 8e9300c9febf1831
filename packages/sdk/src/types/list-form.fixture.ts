import { cls } from "samovar";
class Model {
  n = 0;
  constructor(readonly size = "s") {}
  async load() {
    this.n = 1;
  }
  predict(x: number) {
    return x + this.n;
  }
  helper() {
    return 2;
  }
}
const model = cls(Model, { onStart: ["load"], methods: ["predict"] });
const p: Promise<number> = model.predict.remote(1);
// @ts-expect-error
model.helper;
// @ts-expect-error
cls(Model, { methods: ["predct"] });
export { p };
