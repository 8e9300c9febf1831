import { SamovarError } from "@samovar/protocol";
import type { Clock, Logger } from "@samovar/kit";
import type { ControlPlane } from "@samovar/scheduler";
import { hasScope, unauthorized, type Authenticator } from "../authenticator.ts";
import { toSamovarError } from "../problem.ts";
import { endWithProblem } from "../socket-problem.ts";
import type { ExecUpgrade } from "../upgrade.ts";

export interface ExecUpgradeOptions {
  readonly control: Pick<ControlPlane, "exec">;
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The way into containers, for holders of the scope `admin`: whoever runs programs in a container has all that it has.
 * WebSockets are loaded by the first one.
 */
export function createExecUpgrade(options: ExecUpgradeOptions): ExecUpgrade {
  let loading: Promise<ExecUpgrade> | null = null;
  const load = async (): Promise<ExecUpgrade> => (await import("./exec-sockets.ts")).acceptExecs(options);

  return (req, socket, head, containerId) => {
    const principal = options.authenticator.authenticateUpgrade(req.headers);
    if (!principal) throw unauthorized(req.headers.authorization);
    if (!hasScope(principal, "admin"))
      throw new SamovarError("forbidden", `The token "${principal.name}" may not run programs in containers: it lacks the scope admin`);
    (loading ??= load()).then(
      (accept) => accept(req, socket, head, containerId),
      (error: unknown) => {
        // Perhaps it was for want of memory, or of descriptors: the next one tries again.
        loading = null;
        options.logger.error({ error }, "WebSockets can't be loaded");
        endWithProblem(socket, toSamovarError(error));
      },
    );
  };
}
