// The same endpoint on Google's functions framework, whose own server this is.
import { http } from "@google-cloud/functions-framework";
import { getTestServer } from "@google-cloud/functions-framework/testing";

http("hello", (req, res) => {
  res.json({ message: `Hello, ${req.body.name}!` });
});
const server = getTestServer("hello");
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
