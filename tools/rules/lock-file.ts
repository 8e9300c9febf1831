import { eachLine, type Problem, type Rule } from "../repository.ts";

/** The lock file pins contents by hash and names no place to load them from: whoever installs uses the registry they are set to. */
export const lockFile: Rule = {
  name: "lock-file",
  check({ files }) {
    const problems: Problem[] = [];
    eachLine(files.get("package-lock.json") ?? "", (line, number) => {
      if (/"resolved": "\w+:\/\//.test(line))
        problems.push({ file: "package-lock.json", line: number, message: "A download address: run npm install here, where .npmrc leaves them out" });
    });
    return problems;
  },
};
