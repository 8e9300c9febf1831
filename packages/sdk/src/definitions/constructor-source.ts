/**
 * Whether the first `count` parameters of a class's constructor are written as optional, `name?: Type`. The question
 * mark is a type's, so that only the source still has it: without this look, a class that may be made without
 * arguments would be refused without them. False where the class is not in this text.
 */
export function hasOptionalParameters(source: string, className: string, count: number): boolean {
  const at = new RegExp(String.raw`\bclass\s+${className.replaceAll("$", String.raw`\$`)}(?![\w$])`).exec(source);
  if (!at) return false;
  const body = source.slice(at.index + at[0].length);
  const constructor = /\bconstructor\s*\(/.exec(body);
  const nextClass = /\bclass\s+[\w$]+/.exec(body);
  if (!constructor || (nextClass && nextClass.index < constructor.index)) return false;
  const parameters = splitParameters(body.slice(constructor.index + constructor[0].length));
  return (
    parameters.length >= count && parameters.slice(0, count).every((text) => /^\s*(?:(?:public|private|protected|readonly|override)\s+)*[\w$]+\s*\?/.test(text))
  );
}

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
