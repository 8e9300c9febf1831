import type { Duplex } from "node:stream";
import { CONTENT_TYPES, type SamovarError } from "@samovar/protocol";
import { encodeProblem, problemHeaders, toProblem, type FlatHeaders } from "./problem.ts";

/**
 * Answers with a problem on a bare socket, and closes it: for what the HTTP parser refused, and for upgrades that
 * become none. `status` is for those of HTTP itself, such as 408, which the catalogue of errors has not.
 */
export function endWithProblem(socket: Duplex, error: SamovarError, status = error.status, more: FlatHeaders = []): void {
  const { STATUS_CODES } = process.getBuiltinModule("node:http");
  const body = encodeProblem(toProblem(error, { status }));
  const headers: FlatHeaders = ["content-type", CONTENT_TYPES.problem, "content-length", body.length, "connection", "close", ...problemHeaders(error), ...more];
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  socket.end(Buffer.concat([Buffer.from(`${head}\r\n`, "latin1"), body]), () => socket.destroy());
}
