import type { ServerResponse } from "node:http";
import { isTaskOver, type LogLine } from "@samovar/protocol";
import type { Principal } from "../authenticator.ts";
import type { ApiAnswer, ApiContext } from "./api-route.ts";
import { droppedLine, openStream } from "./route-parts.ts";
import { findTask } from "./task-watch.ts";

/** What a task's attempts logged, one container after the other; with `follow` also what they log until it is over. */
export async function sendTaskLogs(
  context: ApiContext,
  principal: Principal,
  id: string,
  options: { readonly tail: number; readonly follow: boolean },
  res: ServerResponse,
): Promise<ApiAnswer> {
  const { control, clock } = context;
  const stops: (() => void)[] = [];
  const stop = (): void => {
    for (const each of stops.splice(0)) each();
  };
  res.once("close", stop);
  // Before it is read: an end that comes meanwhile is seen.
  const over = Promise.withResolvers<void>();
  if (options.follow) stops.push(control.tasks.watch({ id }, ({ status }) => isTaskOver(status) && over.resolve()));
  if (res.destroyed) stop();
  try {
    const task = await findTask(context, principal, id);
    if (res.destroyed) return "streaming";
    const stream = openStream(context, res, { describeDropped: (count) => droppedLine(clock.now(), count) });
    const send = (line: LogLine): void => stream.send(line, { droppable: true });
    const known = [...new Set(task.attempts.map(({ containerId }) => containerId))];
    const isFollowed = options.follow && !isTaskOver(task.status) && !context.isDraining() && res.req.method !== "HEAD";
    const last = isFollowed ? known.pop() : undefined;
    const query = { name: null, taskId: id, tail: options.tail, follow: false };
    stream.open();
    void (async () => {
      for (const containerId of known) {
        if (res.destroyed) return;
        await new Promise<void>((resolve) => {
          stops.push(control.logs({ ...query, containerId }, { line: send, end: resolve }), resolve);
        });
      }
      if (!isFollowed) return stream.end();
      if (res.destroyed) return;
      if (last !== undefined) stops.push(control.logs({ ...query, containerId: last, follow: true }, { line: send, end() {} }));
      // Its next attempts are elsewhere.
      const isNew = (line: LogLine): boolean => line.containerId !== last && !known.includes(line.containerId);
      stops.push(control.logs({ ...query, containerId: null, tail: 0, follow: true }, { line: (line) => void (isNew(line) && send(line)), end() {} }));
      await over.promise;
      stream.end();
    })();
    return "streaming";
  } catch (error) {
    stop();
    throw error;
  }
}
