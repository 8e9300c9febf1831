/**
 * Rewrites the `mappings` of a source map so that files in `coarse` (by index in `sources`) have one segment where
 * they begin, which names the file at its first line, in place of one for every token. Others keep all of theirs.
 *
 * Why: Node decodes the whole map as soon as anything reads an error's stack, which is 300 ms for the megabytes that a
 * few packages make, at every cold start.
 */
export function coarsenMappings(mappings: string, coarse: readonly boolean[]): string {
  const out: string[] = [];
  const read = { source: 0, line: 0, column: 0, name: 0 };
  const written = { source: 0, line: 0, column: 0, name: 0 };
  let lastSource = -1;
  let at = 0;

  const decode = (): number => {
    let value = 0;
    let shift = 0;
    for (;;) {
      const digit = DIGITS[mappings.charCodeAt(at++)]!;
      value |= (digit & 31) << shift;
      if ((digit & 32) === 0) return value & 1 ? -(value >>> 1) : value >>> 1;
      shift += 5;
    }
  };
  const inSegment = (): boolean => {
    const code = mappings.charCodeAt(at);
    return at < mappings.length && code !== COMMA && code !== SEMICOLON;
  };

  let generated = 0;
  let generatedWritten = 0;
  let firstOfLine = true;
  while (at < mappings.length) {
    const code = mappings.charCodeAt(at);
    if (code === SEMICOLON) {
      out.push(";");
      generated = generatedWritten = 0;
      firstOfLine = true;
      at++;
      continue;
    }
    if (code === COMMA) {
      at++;
      continue;
    }
    generated += decode();
    // A segment without a source says that what follows is nobody's.
    const hasSource = inSegment();
    let hasName = false;
    if (hasSource) {
      read.source += decode();
      read.line += decode();
      read.column += decode();
      hasName = inSegment();
      if (hasName) read.name += decode();
    }
    const isCoarse = hasSource && coarse[read.source] === true;
    if (isCoarse && read.source === lastSource) continue;
    lastSource = hasSource ? read.source : -1;

    let segment = (firstOfLine ? "" : ",") + encode(generated - generatedWritten);
    generatedWritten = generated;
    firstOfLine = false;
    if (hasSource) {
      const line = isCoarse ? 0 : read.line;
      const column = isCoarse ? 0 : read.column;
      segment += encode(read.source - written.source) + encode(line - written.line) + encode(column - written.column);
      written.source = read.source;
      written.line = line;
      written.column = column;
      if (hasName && !isCoarse) {
        segment += encode(read.name - written.name);
        written.name = read.name;
      }
    }
    out.push(segment);
  }
  return out.join("");
}

const COMMA = 44;
const SEMICOLON = 59;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const DIGITS = new Uint8Array(128);
for (let i = 0; i < ALPHABET.length; i++) DIGITS[ALPHABET.charCodeAt(i)] = i;

function encode(value: number): string {
  let left = value < 0 ? (-value << 1) | 1 : value << 1;
  let text = "";
  do {
    const digit = left & 31;
    left >>>= 5;
    text += ALPHABET[left > 0 ? digit | 32 : digit];
  } while (left > 0);
  return text;
}
