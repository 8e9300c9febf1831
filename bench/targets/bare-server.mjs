// The least that a JSON endpoint on Node can be, and so the floor for calls and for cold starts. Plain JavaScript,
// because stripping types would cost the floor milliseconds.
// An ESM import would read every export of node:http, and some of them load fetch: 50 ms that a floor must not have.
const { createServer } = process.getBuiltinModule("node:http");

const server = createServer((req, res) => {
  const chunks = [];
  req.on("data", (chunk) => chunks.push(chunk));
  req.on("end", () => {
    const input = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    const body = JSON.stringify({ message: `Hello, ${input.name}!` });
    res.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
    res.end(body);
  });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
