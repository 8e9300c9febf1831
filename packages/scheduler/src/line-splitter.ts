import { StringDecoder } from "node:string_decoder";

/** Cuts what a process writes into lines. A line without end is handed over in pieces of this size. */
const MAX_LINE_CHARS = 16 * 1024;

export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    const text = this.#rest + this.#decoder.write(chunk);
    let at = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", at)) {
      this.#emit(text.slice(at, text[end - 1] === "\r" ? end - 1 : end));
      at = end + 1;
    }
    this.#rest = text.slice(at);
    if (this.#rest.length > MAX_LINE_CHARS) this.flush();
  }

  flush(): void {
    if (this.#rest) this.#emit(this.#rest);
    this.#rest = "";
  }

  #emit(line: string): void {
    for (let at = 0; at === 0 || at < line.length; at += MAX_LINE_CHARS) this.#onLine(line.slice(at, at + MAX_LINE_CHARS));
  }
}
