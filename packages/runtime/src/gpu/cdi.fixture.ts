import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Logger } from "@samovar/kit";
import { silentLogger } from "@samovar/kit";

/** As NVIDIA's toolkit writes them, of a machine with two GPUs; devices that any machine has stand in for theirs. */
export const NVIDIA_CDI = `---
cdiVersion: 0.6.0
kind: nvidia.com/gpu
containerEdits:
  env:
    - NVIDIA_VISIBLE_DEVICES=void
  deviceNodes:
    - path: /dev/nvidiactl
      hostPath: /dev/null
  mounts:
    - hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54
      containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54
      options: [ro, nosuid, nodev, bind]
  hooks:
    - hookName: createContainer
      path: /usr/bin/nvidia-cdi-hook
      args: [nvidia-cdi-hook, update-ldcache, --folder, /usr/lib/x86_64-linux-gnu]
devices:
  - name: 0
    containerEdits:
      deviceNodes:
        - path: /dev/nvidia0
          hostPath: /dev/zero
          permissions: rw
  - name: "1"
    containerEdits:
      deviceNodes:
        - { path: /dev/nvidia1, type: c, major: 195, minor: 1, fileMode: 438, uid: 0, gid: 44 }
      additionalGids: [44]
  - name: all
    containerEdits:
      deviceNodes:
        - { path: /dev/nvidia0, hostPath: /dev/zero, permissions: rw }
        - { path: /dev/nvidia1, type: c, major: 195, minor: 1 }
`;

/** Files in a temporary folder; a name may have folders in it. */
export function writeFiles(files: Readonly<Record<string, string>>): { readonly dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "samovar-cdi-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text, { mode: 0o755 });
  }
  return { dir, remove: () => rmSync(dir, { recursive: true }) };
}

/** A log that keeps its warnings. */
export function keepWarnings(): { readonly logger: Logger; readonly warnings: (object & { readonly message: string })[] } {
  const warnings: (object & { readonly message: string })[] = [];
  return { logger: { ...silentLogger, warn: (fields, message) => void warnings.push({ ...fields, message }) }, warnings };
}
