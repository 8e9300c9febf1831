import { readFile } from "node:fs/promises";

export interface Chapter {
  readonly number: number;
  readonly title: string;
  readonly text: string;
}

/** Found from this module, which `samovar` bundles: files of the project's folder travel to the containers with it. */
const BOOK = new URL("./books/alice.txt", import.meta.url);

/** The chapters of Alice's Adventures in Wonderland. */
export async function readChapters(): Promise<Chapter[]> {
  const book = await readFile(BOOK, "utf8");
  const chapters = book
    .replace(/\s+THE END\s*$/, "")
    .split(/^ +CHAPTER [IVX]+$/m)
    .slice(1);
  return chapters.map((chapter, index) => {
    const [title = "", ...lines] = chapter.trim().split("\n");
    // Words that were hyphenated at the end of a line are put together, and so are the lines of a paragraph.
    const text = lines
      .join("\n")
      .trim()
      .replace(/(\w-)\n/g, "$1")
      .replace(/\s+/g, " ");
    return { number: index + 1, title: title.trim(), text };
  });
}
