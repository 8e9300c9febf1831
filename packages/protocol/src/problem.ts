import { ERROR_CATALOGUE, SamovarError, fromSerializedError, type ErrorCode, type SerializedError } from "./errors.ts";
import type { ProblemDocument } from "./http.ts";

export function isProblem(value: unknown): value is ProblemDocument {
  const problem = value as ProblemDocument | null;
  return typeof problem === "object" && problem !== null && typeof problem.code === "string" && typeof problem.detail === "string";
}

/** Undefined for a body that is none of ours, as what a proxy says. */
export function parseProblem(text: string): ProblemDocument | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isProblem(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The error that a problem document tells of; what the handler threw is its cause. A code of another version is `internal`. */
export function fromProblem(problem: ProblemDocument): SamovarError {
  const raised = problem.error as SerializedError | undefined;
  const code = (Object.hasOwn(ERROR_CATALOGUE, problem.code) ? problem.code : "internal") as ErrorCode;
  const { type: _type, title: _title, status: _status, detail, code: _code, error: _error, ...fields } = problem;
  return new SamovarError(code, detail, { fields, ...(raised ? { cause: fromSerializedError(raised) } : {}) });
}
