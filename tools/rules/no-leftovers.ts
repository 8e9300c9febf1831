import { eachLine, isCode, type Problem, type Rule } from "../repository.ts";

const TESTING = String.raw`\b(?:describe|test|it|suite)(?:\.\w+)*`;
const FOCUSED = new RegExp(String.raw`${TESTING}\.only\b`);
const SKIPPED = new RegExp(String.raw`${TESTING}\.(skip|skipIf|todo|fails)\b`);
const LATER = new RegExp(String.raw`\b(${"TO"}DO|FIX${"ME"}|XX${"X"})\b`);

/** What is left over from work: focused tests, tests skipped without a reason, notes to do it later. */
export const noLeftovers: Rule = {
  name: "no-leftovers",
  check({ files }) {
    const problems: Problem[] = [];
    for (const [file, text] of files) {
      if (!isCode(file) && !file.endsWith(".md")) continue;
      eachLine(text, (line, number, all) => {
        const report = (message: string): void => void problems.push({ file, line: number, message });
        const later = LATER.exec(line);
        if (later) report(`${later[1]}: do it now, or say in words what is so and why`);
        if (!isCode(file)) return;
        if (FOCUSED.test(line)) report("A focused test hides all others: remove .only");
        const skipped = SKIPPED.exec(line);
        if (skipped && !hasReason(line, all[number - 2]))
          report(`.${skipped[1]} without a reason: say it in a comment on this line or the one above, or use requirePackage of the testkit`);
      });
    }
    return problems;
  },
};

function hasReason(line: string, above: string | undefined): boolean {
  return line.includes("// ") || /^\s*(\/\/|\*|\/\*)/.test(above ?? "");
}
