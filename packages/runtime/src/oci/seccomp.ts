/**
 * What no program in a container needs and what has opened holes in kernels before. A short list of what is denied and not
 * a long one of what is allowed: the runtime compiles it at every start, and 437 allowed names cost 4 ms.
 */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

interface SeccompRule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ERRNO";
  readonly errnoRet: number;
  readonly args?: readonly { readonly index: number; readonly value: number; readonly valueTwo: number; readonly op: "SCMP_CMP_MASKED_EQ" }[];
}

const EPERM = 1;
const ENOSYS = 38;

const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
};

/** Answered as by a kernel that lacks them, so that programs fall back: Node from io_uring to epoll, libc from clone3 to clone, whose flags can be seen. */
const LACKING = ["clone3", "io_uring_enter", "io_uring_register", "io_uring_setup"];

const DENIED = [
  // Mounts and roots.
  ...["chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree", "pivot_root", "umount", "umount2"],
  // Namespaces.
  ...["setns", "unshare"],
  // Other processes.
  ...["kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace"],
  // The kernel itself.
  ...["bpf", "create_module", "delete_module", "finit_module", "init_module", "kexec_file_load", "kexec_load", "perf_event_open", "query_module"],
  ...["acct", "ioperm", "iopl", "lookup_dcookie", "nfsservctl", "quotactl", "quotactl_fd", "reboot", "swapoff", "swapon", "syslog", "uselib", "vhangup"],
  // Its keys, which know no namespaces.
  ...["add_key", "keyctl", "request_key"],
  // Page faults handled in user space make races in the kernel easy to win.
  "userfaultfd",
  // Files by number, past the folders that guard them.
  ...["fanotify_init", "open_by_handle_at"],
  // The clock and names.
  ...["adjtimex", "clock_adjtime", "clock_settime", "setdomainname", "sethostname", "settimeofday", "stime"],
  // Old ones, for emulation.
  ...["_sysctl", "modify_ldt", "personality", "sysfs", "ustat", "vm86", "vm86old"],
];

/** Flags with which `clone` makes namespaces: cgroup, uts, ipc, user, pid, net and mount. */
const NAMESPACE_FLAGS = [0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00020000];

/** Null where the architecture is not known: then no profile is set. */
export function toSeccompProfile(arch: string): SeccompProfile | null {
  const architectures = ARCHITECTURES[arch];
  if (!architectures) return null;
  return {
    defaultAction: "SCMP_ACT_ALLOW",
    architectures,
    syscalls: [
      { names: DENIED, action: "SCMP_ACT_ERRNO", errnoRet: EPERM },
      { names: LACKING, action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
      ...NAMESPACE_FLAGS.map((flag): SeccompRule => ({
        names: ["clone"],
        action: "SCMP_ACT_ERRNO",
        errnoRet: EPERM,
        args: [{ index: 0, value: flag, valueTwo: flag, op: "SCMP_CMP_MASKED_EQ" }],
      })),
    ],
  };
}
