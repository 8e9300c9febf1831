/**
 * `app.ts:3:20` of the line that called `entry`; "" if nothing tells. Read only for a message: what makes it, a stack
 * under source maps, costs milliseconds that no worker has to give.
 */
export function findSite(entry: Function): () => string {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, entry);
  return () => {
    const line = holder.stack?.split("\n")[1]?.trim() ?? "";
    const place = (/\(([^()]+)\)$/.exec(line)?.[1] ?? line.replace(/^at (async )?/, "")).replace(/^file:\/\//, "");
    const folder = `${process.cwd()}/`;
    return place.startsWith(folder) ? place.slice(folder.length) : place;
  };
}
