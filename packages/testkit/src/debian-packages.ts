import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Where Debian puts programs; a user's own PATH often lacks the second kind. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const INSTALL_TIMEOUT_MS = 300_000;

/**
 * Null when the program of a Debian package is there; otherwise why not and how to get it, as the reason to skip by.
 * With SAMOVAR_TEST_INSTALL=1 the package is installed instead, and a failure to do so is thrown: nothing is then
 * skipped for want of a package. Waits its turn where several test files install at once.
 *
 * @example
 * const withoutRunc = await needDebianPackage("runc");
 * test.skipIf(withoutRunc !== null)(`a container has its own root${withoutRunc === null ? "" : ` (${withoutRunc})`}`, …);
 */
export async function needDebianPackage(name: string, program: string = name): Promise<string | null> {
  if (await isProgram(program)) return null;
  const reason = `needs ${program}: apt-get install ${name}`;
  if (process.env["SAMOVAR_TEST_INSTALL"] !== "1") return reason;
  if (process.getuid?.() !== 0) throw new Error(`The test ${reason}, which SAMOVAR_TEST_INSTALL=1 can do as root only`);
  await install(name);
  if (!(await isProgram(program))) throw new Error(`The package ${name} was installed, but there is no program ${program}`);
  return null;
}

async function install(name: string): Promise<void> {
  // Test files run side by side: whoever comes second waits for the lock of the first.
  const command = ["-o", "DPkg::Lock::Timeout=240", "install", "--yes", "--no-install-recommends", name];
  const options = { env: { PATH: SYSTEM_FOLDERS.join(delimiter), DEBIAN_FRONTEND: "noninteractive" }, timeout: INSTALL_TIMEOUT_MS };
  try {
    await run("apt-get", command, options);
  } catch {
    // A fresh machine has no list of packages yet.
    await run("apt-get", ["-o", "DPkg::Lock::Timeout=240", "update"], options);
    await run("apt-get", command, options);
  }
}

async function isProgram(name: string): Promise<boolean> {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...SYSTEM_FOLDERS];
  for (const folder of folders) {
    const found = await access(join(folder, name), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}
