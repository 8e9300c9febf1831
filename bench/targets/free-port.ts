import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

/** For a program that can't choose one itself. Somebody else may take it meanwhile, which the program then says. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
