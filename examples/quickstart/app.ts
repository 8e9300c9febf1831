import { App, method, onStart, onStop, type Ctx, type StartCtx, type StopCtx } from "samovar";
import { z } from "zod";
import { readChapters, type Chapter } from "./book.ts";
import { analyzeText, findNames, loadLanguage, type Language } from "./language.ts";
import { moodLine } from "./mood-line.ts";

const app = new App("text-analysis", { memory: "512Mi" });

/**
 * An HTTP endpoint: POST {"text": "…"}. The model is loaded once per container by `onStart`, before its first
 * input; `ctx.onStartValue` is what the hook returned, with its type.
 */
export const analyze = app.endpoint({ input: z.object({ text: z.string().min(1) }), onStart: loadLanguage }, ({ text }, ctx) =>
  analyzeText(ctx.onStartValue, text),
);

/** A function for `.map`: each chapter is one input, and containers are started as the work needs them. */
export const readChapter = app.fn({ onStart: loadLanguage, maxContainers: 2 }, (chapter: Chapter, ctx) => {
  const { sentiment, sentences } = analyzeText(ctx.onStartValue, chapter.text);
  const [mostNamed] = findNames(ctx.onStartValue, chapter.text).filter(([name]) => name !== "Alice");
  return { number: chapter.number, title: chapter.title, sentiment, sentences: sentences.length, mostNamed: mostNamed?.[0] ?? "nobody" };
});

/**
 * A class keeps what its hooks load in its fields. Constructor parameters come from the caller, and each set of
 * them has containers of its own: here, one that knows every sentence about one character.
 */
class Biographer {
  readonly #character: string;
  #language: Language | undefined;
  #sentences: readonly string[] = [];

  constructor(character: string) {
    this.#character = character;
  }

  @onStart() protected async loadModel(): Promise<void> {
    this.#language = await loadLanguage();
  }

  /** Hooks run one after another, in the order in which they are written. */
  @onStart() protected async readBook(ctx: StartCtx): Promise<void> {
    const { read } = this.#language!;
    const chapters = await readChapters();
    this.#sentences = chapters.flatMap(({ text }) => read(text).sentences().out()).filter((sentence) => sentence.includes(this.#character));
    ctx.log.info(`${this.#sentences.length} sentences about ${this.#character}`);
  }

  /** A generator streams: callers have each item as soon as it is yielded. */
  @method() async *tell(limit: number, ctx: Ctx): AsyncGenerator<{ text: string; sentiment: number }> {
    for (const text of this.#sentences.slice(0, limit)) {
      if (ctx.signal.aborted) return;
      yield { text, sentiment: analyzeText(this.#language!, text).sentiment };
    }
  }

  @onStop() protected close(ctx: StopCtx): void {
    ctx.log.info(`The biographer of ${this.#character} stops: ${ctx.reason}`);
  }
}

export const biographer = app.cls(Biographer);

/** What `samovar run app.ts` runs: here, on your machine, while the handles call containers. */
export default async function main(character = "Hatter"): Promise<void> {
  const chapters = await readChapters();
  const readings = await Array.fromAsync(readChapter.map(chapters));
  const happiest = readings.reduce((best, reading) => (reading.sentiment > best.sentiment ? reading : best));
  const darkest = readings.reduce((worst, reading) => (reading.sentiment < worst.sentiment ? reading : worst));
  console.log(`mood of the ${readings.length} chapters  ${moodLine(readings.map((reading) => reading.sentiment))}`);
  console.log(`happiest  ${happiest.number}. ${happiest.title}, with ${happiest.mostNamed}`);
  console.log(`darkest   ${darkest.number}. ${darkest.title}, with ${darkest.mostNamed}`);

  console.log(`the ${character}, streamed:`);
  for await (const { text, sentiment } of biographer.with(character).tell.stream(3)) {
    console.log(`${sentiment < 0 ? "☹" : sentiment > 0 ? "☺" : "·"} ${text.length > 90 ? `${text.slice(0, 89)}…` : text}`);
  }
}
