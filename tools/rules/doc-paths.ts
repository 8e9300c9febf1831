import { eachLine, type Problem, type Rule } from "../repository.ts";

/** Documents that say where things are. In them a path may leave out `packages/`. */
const MAPS = /^(ARCHITECTURE|CONTRIBUTING)\.md$|^docs\/(lifecycle\.md|checklists\/)/;
const PATH = /(?<![\w./@$~-])[a-z][\w-]*(?:\/[\w.-]+)+\.(?:ts|js|md|json|txt)\b/g;

/** A file that a map names is there, so that whoever moves one mends the map. */
export const docPaths: Rule = {
  name: "doc-paths",
  check({ files }) {
    const problems: Problem[] = [];
    for (const [file, text] of files) {
      if (!MAPS.test(file)) continue;
      eachLine(text, (line, number) => {
        for (const [path] of line.replace(/\]\([^)]*\)/g, "]").matchAll(PATH)) {
          if (!files.has(path) && !files.has(`packages/${path}`))
            problems.push({ file, line: number, message: `${path} is not there: name the file that holds it now` });
        }
      });
    }
    return problems;
  },
};
