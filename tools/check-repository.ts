import path from "node:path";
import { readRepository, type Rule } from "./repository.ts";
import { dependencyNotes } from "./rules/dependency-notes.ts";
import { docExamples } from "./rules/doc-examples.ts";
import { docPaths } from "./rules/doc-paths.ts";
import { linksResolve, packageReadmes } from "./rules/docs-in-place.ts";
import { environmentDocs } from "./rules/environment-docs.ts";
import { errorDocs } from "./rules/error-docs.ts";
import { fileLength } from "./rules/file-length.ts";
import { lockFile } from "./rules/lock-file.ts";
import { noLeftovers } from "./rules/no-leftovers.ts";
import { optionDocs } from "./rules/option-docs.ts";
import { packageDirection } from "./rules/package-direction.ts";

const RULES: readonly Rule[] = [
  packageDirection,
  fileLength,
  noLeftovers,
  errorDocs(),
  packageReadmes,
  linksResolve,
  docExamples,
  docPaths,
  optionDocs(),
  environmentDocs,
  dependencyNotes,
  lockFile,
];

const repository = readRepository(path.join(import.meta.dirname, ".."));
let count = 0;
for (const rule of RULES) {
  for (const { file, line, message } of rule.check(repository)) {
    console.error(`${file}${line === undefined ? "" : `:${line}`}: ${message} [${rule.name}]`);
    count += 1;
  }
}
if (count > 0) {
  console.error(`\n${count} ${count === 1 ? "problem" : "problems"}. Each says how to mend it; \`npm run rules\` checks again`);
  process.exitCode = 1;
} else {
  console.log(`${RULES.length} rules hold over ${repository.files.size} files`);
}
