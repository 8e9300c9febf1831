import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { verifyCallback, type CallbackBody } from "samovar";

/** Takes what Samovar posts when a task is over; anybody else's is refused. */
export function createReceiver(secret: string, take: (event: CallbackBody) => void): Server {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const body = Buffer.concat(await Array.fromAsync(request));
      take(verifyCallback({ body, headers: request.headers, secret }));
      response.writeHead(204).end();
    } catch (error) {
      response.writeHead(401).end((error as Error).message);
    }
  };
  return createServer((request, response) => void answer(request, response));
}

if (import.meta.main) {
  const secret = process.env.SHOP_CALLBACK_SECRET;
  if (!secret) throw new Error("Set SHOP_CALLBACK_SECRET: samovar callback secret --app shop prints it");
  createReceiver(secret, ({ type, data }) => console.log(type, data.id, data.result ?? data.error?.message)).listen(8790, () =>
    console.log("Waiting on port 8790"),
  );
}
