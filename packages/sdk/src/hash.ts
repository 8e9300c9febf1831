/** SHA-256, hex. The module is looked up when it is needed: workers never hash, and every import costs them start-up time. */
export function hashText(text: string): string {
  return process.getBuiltinModule("node:crypto").createHash("sha256").update(text).digest("hex");
}
