/**
 * Whether a class's first `count` parameters must be given, as far as these texts tell. Types are gone when the code
 * runs, and with them the question mark of `name?: Type`: only the source still has it. Where no text has the class,
 * or one has it (or another of its name) with optional parameters, they need not be given: a wrong refusal would be
 * worse than what the constructor itself says later, and the handle's type asks for required ones anyway.
 */
export function needsParameters(texts: Iterable<string>, className: string, count: number): boolean {
  const all: boolean[] = [];
  for (const text of texts) all.push(...readConstructors(text, className, count));
  return all.length > 0 && all.every((needed) => needed);
}

/** Of each class of that name that has a constructor: whether one of the first parameters is written as required. */
function readConstructors(text: string, className: string, count: number): boolean[] {
  const needed: boolean[] = [];
  for (const match of text.matchAll(new RegExp(String.raw`\bclass\s+${className.replaceAll("$", String.raw`\$`)}(?![\w$])`, "g"))) {
    const body = text.slice(match.index + match[0].length);
    const constructor = /\bconstructor\s*\(/.exec(body);
    const nextClass = /\bclass\s+[\w$]+/.exec(body);
    if (!constructor || (nextClass && nextClass.index < constructor.index)) continue;
    const parameters = splitParameters(body.slice(constructor.index + constructor[0].length)).slice(0, count);
    needed.push(parameters.length === count && !parameters.every((parameter) => OPTIONAL.test(parameter)));
  }
  return needed;
}

const OPTIONAL = /^\s*(?:(?:public|private|protected|readonly|override)\s+)*[\w$]+\s*\?/;
const OPENING = "([{<";
const CLOSING = ")]}>";

/** The texts between the commas of a parameter list, up to its closing parenthesis. */
function splitParameters(text: string): string[] {
  const parameters: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === '"' || char === "'" || char === "`") i = skipString(text, i);
    else if (char === ">" && text[i - 1] === "=") continue;
    else if (OPENING.includes(char)) depth++;
    else if (CLOSING.includes(char)) {
      if (depth-- > 0) continue;
      if (text.slice(start, i).trim()) parameters.push(text.slice(start, i));
      return parameters;
    } else if (char === "," && depth === 0) {
      parameters.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [];
}

function skipString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === text[start]) return i;
  }
  return text.length;
}
