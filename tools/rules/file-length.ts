import { isCode, type Rule } from "../repository.ts";

const MAX_LINES = 500;

export const fileLength: Rule = {
  name: "file-length",
  check({ files }) {
    return [...files].flatMap(([file, text]) => {
      const lines = text.split("\n").length - 1;
      return isCode(file) && lines > MAX_LINES ? [{ file, message: `${lines} lines, at most ${MAX_LINES}: split it by subject` }] : [];
    });
  },
};
