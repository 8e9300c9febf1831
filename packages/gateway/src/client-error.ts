import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { SamovarError } from "@samovar/protocol";
import { endWithProblem } from "./socket-problem.ts";

/** Node keeps the response under way here, and has no public name for it: its own default handler reads it too. */
export type HttpSocket = Duplex & { _httpMessage?: ServerResponse };

/** Answers what the HTTP parser refused, on the bare socket: there is no request to answer on. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  const under = (socket as HttpSocket)._httpMessage;
  if (!socket.writable || under?.headersSent || error.code === "ECONNRESET") return void socket.destroy();
  const { status, detail } = describe(error);
  endWithProblem(socket, new SamovarError("invalid_request", detail), status);
}

function describe(error: NodeJS.ErrnoException): { status: number; detail: string } {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return { status: 431, detail: "The request's target and headers are too large: send less" };
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return { status: 413, detail: "The extensions of the body's chunks are too large: send none" };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, detail: "The request's headers did not come in time" };
    default:
      return { status: 400, detail: `The request is not HTTP/1.1: ${error.message}` };
  }
}
