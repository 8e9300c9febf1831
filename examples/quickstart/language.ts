import type { Document, ItsHelpers, WinkMethods } from "wink-nlp";

/** The language model, ready to read text. */
export interface Language {
  read(text: string): Document;
  readonly its: ItsHelpers;
  readonly as: WinkMethods["as"];
}

export interface Entity {
  readonly value: string;
  /** DATE, TIME, MONEY, PERCENT, CARDINAL, … */
  readonly type: string;
}

export interface Analysis {
  /** -1 (negative) to 1 (positive). */
  readonly sentiment: number;
  readonly entities: readonly Entity[];
  readonly sentences: readonly { readonly text: string; readonly sentiment: number }[];
}

/**
 * Loads the English model: 4 MB of weights that are parsed and indexed. Imported here and not at the top of the file, so that
 * only workers that need it load it, in the hook that says so.
 */
export async function loadLanguage(): Promise<Language> {
  const [{ default: winkNlp }, { default: englishModel }] = await Promise.all([import("wink-nlp"), import("wink-eng-lite-web-model")]);
  const nlp = winkNlp(englishModel);
  return { read: (text) => nlp.readDoc(text), its: nlp.its, as: nlp.as };
}

export function analyzeText({ read, its }: Language, text: string): Analysis {
  const document = read(text);
  const sentences = document.sentences();
  const sentiments = sentences.out(its.sentiment) as number[];
  return {
    sentiment: round(document.out(its.sentiment) as number),
    entities: (document.entities().out(its.detail) as Entity[]).map(({ value, type }) => ({ value, type })),
    sentences: sentences.out().map((sentence, i) => ({ text: sentence, sentiment: round(sentiments[i] ?? 0) })),
  };
}

export function countWords({ read, its }: Language, text: string): number {
  return read(text)
    .tokens()
    .filter((token) => token.out(its.type) === "word")
    .length();
}

/** Proper nouns, most frequent first. */
export function findNames({ read, its, as }: Language, text: string): readonly (readonly [name: string, count: number])[] {
  const names = read(text)
    .tokens()
    .filter((token) => token.out(its.pos) === "PROPN");
  return names.out(its.value, as.freqTable) as [string, number][];
}

const round = (value: number): number => Math.round(value * 1_000) / 1_000;
