import type { IncomingMessage } from "node:http";
import { KIND_SEGMENTS, SamovarError, show, type FunctionKind, type FunctionManifest } from "@samovar/protocol";
import type { FunctionEntry, FunctionTable } from "@samovar/scheduler";
import { hostLabel } from "./host.ts";
import { describeNear } from "@samovar/kit";

/** What a call's path or host names, before anything is looked up. */
export interface Route {
  readonly by: "name" | "id" | "host";
  /** Null by host: whatever kind the function is. */
  readonly kind: FunctionKind | null;
  /** The name, the id, or the host's label. */
  readonly name: string;
  readonly version: number | undefined;
  /** What follows, decoded, without the slash; empty for none. */
  readonly rest: string;
}

const KINDS = new Map(Object.entries(KIND_SEGMENTS).map(([kind, segment]) => [segment, kind as FunctionKind]));
const SLASH = 0x2f;
const VERSION = /^[1-9]\d{0,8}$/;

/**
 * The request's target as a path with its query. A whole URL, as proxies are sent, becomes one, if it names the host that the
 * header Host does: what stands before this server may have gone by either.
 */
export function takeOriginForm(req: IncomingMessage): string {
  const url = req.url!;
  if (url.charCodeAt(0) === SLASH) return url;
  const parsed = URL.parse(url);
  if (!parsed || !/^https?:$/.test(parsed.protocol)) throw new SamovarError("invalid_request", `The request target ${show(url)} is not a path`);
  const { host } = req.headers;
  if (host !== undefined && URL.parse(`${parsed.protocol}//${host}`)?.host !== parsed.host)
    throw new SamovarError("invalid_request", `The request target is for the host ${parsed.host}, and the header Host says ${show(host)}: send one host`);
  return (req.url = parsed.pathname + parsed.search);
}

/** A target without its query, and the query. */
export function splitTarget(url: string): { path: string; query: string } {
  const at = url.indexOf("?");
  return at < 0 ? { path: url, query: "" } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

/** Of paths that were called: clients call the same few again and again. */
const routes = new Map<string, Route>();
const MAX_CACHED = 1_000;
const MAX_CACHED_LENGTH = 256;

/** `/{kind}/{name}[@{n}][/…]` or `/{kind}/id/{id}[/…]`. Undefined when the first segment is no kind. */
export function parseRoute(path: string): Route | undefined {
  const known = routes.get(path);
  if (known) return known;
  const route = readRoute(path);
  if (!route || path.length > MAX_CACHED_LENGTH) return route;
  if (routes.size >= MAX_CACHED) routes.clear();
  routes.set(path, route);
  return route;
}

function readRoute(path: string): Route | undefined {
  const parts = path.split("/");
  const kind = KINDS.get(parts[1]!);
  if (kind === undefined) return undefined;
  const encoded = path.includes("%");
  const byId = parts[2] === "id";
  const first = byId ? 3 : 2;
  const raw = parts[first];
  if (raw === undefined || raw === "") throw new SamovarError("not_found", `The path ${show(path)} names no function: use /${parts[1]}/{name}`);
  let name = encoded ? decodeSegment(raw, path) : raw;
  let version: number | undefined;
  const at = byId ? -1 : name.indexOf("@");
  if (at >= 0) {
    const text = name.slice(at + 1);
    if (!VERSION.test(text)) throw new SamovarError("not_found", `${show(text)} is not a version: use a number, as in /${parts[1]}/${name.slice(0, at)}@1`);
    version = Number(text);
    name = name.slice(0, at);
  }
  return { by: byId ? "id" : "name", kind, name, version, rest: joinRest(parts, first + 1, encoded, path) };
}

/** On a function's own host the path is the function's, from its first slash on. */
export function routeOfHost(label: string, path: string): Route {
  return { by: "host", kind: null, name: label, version: undefined, rest: joinRest(path.split("/"), 1, path.includes("%"), path) };
}

function joinRest(parts: readonly string[], from: number, encoded: boolean, path: string): string {
  const more = parts.slice(from);
  // One slash at the end is the same resource; people and tools add it.
  if (more.at(-1) === "") more.pop();
  return more.length === 0 ? "" : (encoded ? more.map((part) => decodeSegment(part, path)) : more).join("/");
}

/** The path up to the function's own: what stands before it is the server's, what follows the function's. */
export function functionPrefix(url: string): string {
  const parts = splitTarget(url).path.split("/");
  return parts.slice(0, parts[2] === "id" ? 4 : 3).join("/");
}

/** The function that a route names. */
export function findEntry(route: Route, table: FunctionTable): FunctionEntry | undefined {
  if (route.by === "host") return table.byHost(route.name);
  const entry = route.by === "id" ? table.byId(route.name) : table.byName(route.kind!, route.name, route.version);
  return entry?.manifest.kind === route.kind ? entry : undefined;
}

/** Whether callers need no token. Where the active version asks for one, all versions do, by whatever they are named. */
export function isPublic(entry: FunctionEntry, table: FunctionTable): boolean {
  if (entry.manifest.options.authorized) return false;
  const active = table.holder(entry.name);
  // What `run` has goes by its id alone, beside what is deployed under its name.
  return !active?.manifest.options.authorized || active.development !== entry.development;
}

/** `not_found` for a route that names nothing, with what is near of what the caller may know of. */
export function describeMissing(route: Route, table: FunctionTable, isShown: (entry: FunctionEntry) => boolean): SamovarError {
  const { kind, name, version } = route;
  const entries = table.list().filter(isShown);
  if (kind === null) {
    const labels = entries.map((entry) => hostLabel(entry.name));
    return new SamovarError("not_found", `No function has the host ${show(name)}${describeNear(name, [...new Set(labels)], "functions")}`);
  }
  if (route.by === "id") {
    const other = entries.find((entry) => entry.functionId === name);
    return new SamovarError("not_found", `No ${kind} has the id ${show(name)}${other ? `: it is under /${KIND_SEGMENTS[other.manifest.kind]}/id/` : ""}`);
  }
  const active = version === undefined ? undefined : table.byName(kind, name);
  if (active && isShown(active)) return new SamovarError("not_found", `${active.name} has no version ${version}: version ${active.version} is active`);
  const other = entries.find((entry) => entry.name.toLowerCase() === name.toLowerCase() && entry.manifest.kind !== kind);
  if (other) return new SamovarError("not_found", `No ${kind} is named ${show(name)}, but there is /${KIND_SEGMENTS[other.manifest.kind]}/${other.name}`);
  const names = entries.filter((entry) => entry.manifest.kind === kind).map((entry) => entry.name);
  return new SamovarError("not_found", `No ${kind} is named ${show(name)}${describeNear(name, names, `functions of the kind ${kind}`)}`);
}

const pathsOfManifest = new WeakMap<FunctionManifest, ReadonlyMap<string, string>>();

/** The method that `rest` names, by its own route or its name; null where the function itself is called. */
export function findMethod(entry: FunctionEntry, rest: string): string | null {
  const { manifest } = entry;
  if (manifest.kind !== "cls") {
    if (rest === "") return null;
    throw new SamovarError("not_found", `${entry.name} has nothing under ${show(`/${rest}`)}: it is called at its own path`);
  }
  let paths = pathsOfManifest.get(manifest);
  if (!paths) pathsOfManifest.set(manifest, (paths = toMethodPaths(manifest)));
  const method = paths.get(rest);
  if (method !== undefined) return method;
  const names = Object.keys(manifest.methods);
  throw new SamovarError(
    "not_found",
    `${entry.name} has no method ${rest === "" ? "in this path: name one after it, as in /cls/{name}/{method}" : show(rest)}${describeNear(rest, names, "methods")}`,
  );
}

function toMethodPaths(manifest: FunctionManifest): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const [name, method] of Object.entries(manifest.methods)) {
    paths.set(name, name);
    if (method.route !== null) paths.set(method.route.replace(/^\/+|\/+$/g, ""), name);
  }
  return paths;
}

function decodeSegment(segment: string, path: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new SamovarError("invalid_request", `The path ${show(path)} has a malformed percent-encoding`);
  }
}
