import type { AnswerHead } from "@samovar/protocol";

/** Of most results: a string that is made once. */
let last: { readonly head: AnswerHead; readonly text: string } | null = null;

/** An answer's head as the store keeps it beside the body. */
export function toResultText(head: AnswerHead): string {
  if (last && isSame(last.head, head)) return last.text;
  const text = JSON.stringify([head.status, head.headers, ...(head.items ? [true] : [])]);
  last = { head, text };
  return text;
}

export function parseResultText(text: string): AnswerHead {
  const [status, headers, items] = JSON.parse(text) as [number, [string, string][], true?];
  return { status, headers, ...(items ? { items } : {}) };
}

function isSame(a: AnswerHead, b: AnswerHead): boolean {
  if (a.status !== b.status || a.items !== b.items || a.headers.length !== b.headers.length) return false;
  return a.headers.every(([name, value], i) => b.headers[i]![0] === name && b.headers[i]![1] === value);
}
