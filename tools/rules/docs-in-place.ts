import path from "node:path";
import { eachLine, listPackages, type Problem, type Rule } from "../repository.ts";

export const packageReadmes: Rule = {
  name: "package-readmes",
  check(repository) {
    return listPackages(repository)
      .filter((each) => each.folder.startsWith("packages/") && !repository.files.has(`${each.folder}/README.md`))
      .map((each) => ({
        file: `${each.folder}/README.md`,
        message: "It is not there: say what the package is for, what it exports and which file has which subject",
      }));
  },
};

/** Inline links only; `#part` is left to the reader, other sites to themselves. */
const LINK = /\]\(([^()\s]+)\)/g;

export const linksResolve: Rule = {
  name: "links-resolve",
  check({ files }) {
    const folders = new Set([...files.keys()].flatMap(foldersOf));
    const problems: Problem[] = [];
    for (const [file, text] of files) {
      if (!file.endsWith(".md")) continue;
      eachLine(withoutCode(text), (line, number) => {
        for (const [, link] of line.matchAll(LINK)) {
          if (/^([a-z]+:|#)/i.test(link!)) continue;
          const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), link!.split("#", 1)[0]!)).replace(/\/$/, "");
          if (!files.has(target) && !folders.has(target)) problems.push({ file, line: number, message: `${link} leads nowhere: ${target} is not there` });
        }
      });
    }
    return problems;
  },
};

/** Blocks and spans of code are blanked, so that what looks like a link in them is none; lines keep their numbers. */
function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, (block) => block.replace(/[^\n]/g, "")).replace(/`[^`\n]*`/g, "");
}

function foldersOf(file: string): string[] {
  const folder = path.posix.dirname(file);
  return folder === "." ? ["."] : [folder, ...foldersOf(folder)];
}
