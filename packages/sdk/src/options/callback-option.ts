import { show } from "@samovar/protocol";
import { WrongValue } from "./parse-values.ts";

const MAX_URL_LENGTH = 2_048;
const TAKES = 'it takes an http or https URL, such as "https://example.com/hooks/samovar"';

/** Where the end of every task is told. It stands in manifests and lists, so that nothing secret may be in it. */
export function readCallbackUrl(value: unknown, name: string): string {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) throw new WrongValue(`${name} is ${show(value)}, but ${TAKES}`);
  if (url.username !== "" || url.password !== "") {
    url.username = url.password = "";
    throw new WrongValue(`${name} has a user or password in it: leave them out, what is posted is signed (verifyCallback checks it)`, url.href);
  }
  if (url.hash !== "") {
    url.hash = "";
    throw new WrongValue(`${name} has a fragment, which is never sent: leave it out`, url.href);
  }
  if (url.href.length > MAX_URL_LENGTH) throw new WrongValue(`${name} has ${url.href.length} characters, but it takes ${MAX_URL_LENGTH} at most`);
  return url.href;
}
