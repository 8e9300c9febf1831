import { eachLine, type Problem, type Rule } from "../repository.ts";

/** `<!-- from FILE -->`: the block below is that file. `<!-- part of FILE -->`: it stands in it, as it is. */
const MARK = /^<!-- (from|part of) (\S+) -->$/;

/** What documents show of code is the code: a marked block is what its file says today. */
export const docExamples: Rule = {
  name: "doc-examples",
  check({ files }) {
    const problems: Problem[] = [];
    for (const [file, text] of files) {
      if (!file.endsWith(".md")) continue;
      eachLine(text, (line, number, lines) => {
        const [, how, source] = MARK.exec(line) ?? [];
        if (source === undefined) return;
        const problem = findProblem(how === "from", source, files.get(source), readBlock(lines.slice(number)));
        if (problem) problems.push({ file, line: number, message: problem });
      });
    }
    return problems;
  },
};

function findProblem(isWhole: boolean, source: string, code: string | undefined, block: string | undefined): string | undefined {
  if (code === undefined) return `${source} is not there: name the file that the block is taken from`;
  if (block === undefined) return `No block follows: put one with the text of ${source} on the next line`;
  if (isWhole ? code.trim() === block.trim() : `\n${code}`.includes(`\n${block}`)) return undefined;
  return `The block differs from ${source}: paste it from there`;
}

/** The text between the fences that begin on the first of these lines. */
function readBlock(lines: readonly string[]): string | undefined {
  if (!lines[0]?.startsWith("```")) return undefined;
  const end = lines.indexOf("```", 1);
  return end < 0 ? undefined : `${lines.slice(1, end).join("\n")}\n`;
}
