/**
 * What code in a container may try, each as a script for its shell. `canary` is a text that stands in files, environments
 * and neighbours outside and nowhere inside.
 */
export interface Attempt {
  readonly what: string;
  readonly script: string;
  /** What the script must write, all in all. */
  readonly expected: RegExp;
}

/** Not let through: by the seccomp profile, for want of a capability, or since there is nothing to do it to. */
const DENIED = /^-1 (1|2|3|13|19|22|38)$/;

/** Numbers of system calls, as perl's `syscall` takes them. */
const NUMBERS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  x64: {
    ...{ mount: 165, umount2: 166, pivot_root: 155, chroot: 161, mknod: 133, unshare: 272, setns: 308, ptrace: 101, bpf: 321 },
    ...{ io_uring_setup: 425, keyctl: 250, add_key: 248, init_module: 175, finit_module: 313, delete_module: 176, kexec_load: 246 },
    ...{ perf_event_open: 298, userfaultfd: 323, open_by_handle_at: 304, process_vm_readv: 310, reboot: 169, swapon: 167, syslog: 103 },
    ...{ sethostname: 170, settimeofday: 164, iopl: 172, acct: 163, quotactl: 179, open_tree: 428, fsopen: 430, clone3: 435, personality: 135 },
    ...{ clone: 56, setuid: 105, pidfd_getfd: 438, kcmp: 312, socket: 41 },
  },
  arm64: {
    ...{ mount: 40, umount2: 39, pivot_root: 41, chroot: 51, unshare: 97, setns: 268, ptrace: 117, bpf: 280 },
    ...{ io_uring_setup: 425, keyctl: 219, add_key: 217, init_module: 105, finit_module: 273, delete_module: 106, kexec_load: 104 },
    ...{ perf_event_open: 241, userfaultfd: 282, open_by_handle_at: 265, process_vm_readv: 270, reboot: 142, swapon: 224, syslog: 116 },
    ...{ sethostname: 161, settimeofday: 170, acct: 89, quotactl: 60, open_tree: 428, fsopen: 430, clone3: 435, personality: 92 },
    ...{ clone: 220, pidfd_getfd: 438, kcmp: 272, socket: 198 },
  },
};

/** Writes what the call returned and its error number. Arguments are perl's. */
function call(name: string, ...args: readonly (string | number)[]): string | null {
  const number = NUMBERS[process.arch]?.[name];
  if (number === undefined) return null;
  // All six, since what is missing is whatever the registers hold; in an array, since perl takes texts by reference.
  const filled = [...args, ...Array.from({ length: 6 - args.length }, () => 0)].join(", ");
  return `perl -e 'my @a = (${filled}); my $r = syscall(${number}, @a); my $e = $! + 0; print $r < 0 ? "$r $e" : "done $r"'`;
}

const NEW_NAMESPACES = { mount: 0x00020000, cgroup: 0x02000000, uts: 0x04000000, ipc: 0x08000000, user: 0x10000000, pid: 0x20000000, net: 0x40000000 };
const SIGCHLD = 17;

const calls: readonly (readonly [string, string | null])[] = [
  ["mount a file system", call("mount", '"tmpfs"', '"/mnt"', '"tmpfs"')],
  ["mount /proc anew", call("mount", '"proc"', '"/mnt"', '"proc"')],
  ["mount a control group", call("mount", '"cgroup"', '"/mnt"', '"cgroup"', 0, '"memory"')],
  ["make a read-only mount writable", call("mount", '"none"', '"/usr"', '"none"', 0x1020)],
  ["unmount what hides files of the kernel", call("umount2", '"/proc/kcore"', 2)],
  ["mount by the new calls", call("fsopen", '"tmpfs"')],
  ["copy a mount", call("open_tree", -100, '"/"', 1)],
  ["change its root", call("chroot", '"/tmp"')],
  ["swap its root", call("pivot_root", '"/tmp"', '"/tmp"')],
  ["make a device", call("mknod", '"/tmp/vda"', 0o60666, (254 << 8) | 0)],
  ...Object.entries(NEW_NAMESPACES).map(([name, flag]) => [`unshare its ${name} namespace`, call("unshare", flag)] as const),
  ...Object.entries(NEW_NAMESPACES).map(([name, flag]) => [`clone with a new ${name} namespace`, call("clone", flag | SIGCHLD)] as const),
  ["clone by the call whose flags can't be seen", call("clone3", '"\\0" x 88', 88)],
  ["enter another namespace", call("setns", 0, 0)],
  ["trace another process", call("ptrace", 16, "getppid()")],
  ["read another process's memory", call("process_vm_readv", "getppid()")],
  ["take another process's files", call("pidfd_getfd", 0)],
  ["compare processes", call("kcmp", "getppid()", "$$")],
  ["load a program into the kernel", call("bpf", 5, '"\\0" x 128', 128)],
  ["open an io_uring", call("io_uring_setup", 8, '"\\0" x 120')],
  ["read keys of the kernel", call("keyctl", 0, -3, 1)],
  ["add a key", call("add_key", '"user"', '"samovar"', '"x"', 1, -3)],
  ["load a module", call("init_module", '"x"', 1, '""')],
  ["load a module from a file", call("finit_module", 0, '""')],
  ["unload a module", call("delete_module", '"loop"')],
  ["load another kernel", call("kexec_load")],
  ["watch the processor's counters", call("perf_event_open", '"\\0" x 128', 0, -1, -1)],
  ["handle page faults", call("userfaultfd", 1)],
  ["open a file by its number", call("open_by_handle_at", -100, '"\\10\\0\\0\\0\\1\\0\\0\\0\\2\\0\\0\\0\\0\\0\\0\\0"')],
  ["restart the machine", call("reboot", 0xfee1dead - 2 ** 32, 672274793, 0)],
  ["swap to a file", call("swapon", '"/tmp/swap"')],
  ["read the kernel's log", call("syslog", 3, '" " x 100', 100)],
  ["rename the machine", call("sethostname", '"pwned"', 5)],
  ["set the clock", call("settimeofday", '"\\0" x 16')],
  ["reach ports of the hardware", call("iopl", 3)],
  ["keep accounts of processes", call("acct", '"/tmp/acct"')],
  ["turn quotas off", call("quotactl", 0x800003 << 8, '"/dev/vda"')],
  ["become another kind of process", call("personality", 8)],
  ["open a raw socket", call("socket", 2, 3, 1)],
  ["open a packet socket", call("socket", 17, 3, 0x0300)],
];

export function listAttempts(canary: string): Attempt[] {
  return [
    ...calls.flatMap(([what, script]) => (script === null ? [] : [{ what, script, expected: DENIED }])),
    ...["mem", "kmem", "kmsg", "port", "vda", "sda", "nvme0n1", "fuse", "loop0", "loop-control", "net/tun", "kvm", "mapper/control", "vsock"].map((name) => ({
      what: `open the device /dev/${name}`,
      script: `(exec 3</dev/${name}) 2>/dev/null && echo opened || echo closed`,
      expected: /^closed$/,
    })),
    {
      what: "find devices beyond the harmless ones",
      script: "find /dev -type b; find /dev -type c | sort | tr '\\n' ' '",
      expected: /^(\/dev\/(console|full|null|ptmx|pts\/ptmx|random|tty|urandom|zero) ?)*$/,
    },
    // /usr is the host's, read-only, and large; what is secret isn't kept there.
    {
      what: "find the host's files",
      script: `find / -path /proc -prune -o -path /usr -prune -o -path /dev -prune -o -type f -print0 2>/dev/null | xargs -0 grep -l ${canary} 2>/dev/null; true`,
      expected: /^$/,
    },
    {
      what: "find its own files, so that the search is one",
      script: "find / -path /proc -prune -o -path /usr -prune -o -name words.txt -print 2>/dev/null",
      expected: /\/data\/words\.txt$/,
    },
    {
      what: "list the host's homes, services and servers",
      script: "ls -A /root /home /home/samovar /var /run /srv /boot /media /mnt /opt /sys 2>/dev/null | grep -v -e '^$' -e ':$' | sort | tr '\\n' ' '",
      expected: /^samovar tmp$/,
    },
    { what: "read the host's passwords", script: "cat /etc/shadow /etc/ssh/* /etc/samovar* 2>/dev/null; wc -l < /etc/passwd", expected: /^[1-4]$/ },
    {
      what: "find processes that aren't its own",
      script: "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -o -e '[v]itest' -e '[s]ystemd' -e '[s]leep 600' -e '[c]t_jail_[0-9]*_2' | sort -u",
      expected: /^$/,
    },
    { what: "read what others have in their environment", script: `cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c ${canary}`, expected: /^0$/ },
    {
      what: "leave by way of the first process's root",
      script: `ls /proc/1/root/; cat /proc/1/root/root/* /proc/1/cwd/../../root/* 2>/dev/null | grep -c ${canary}`,
      expected: /^bin\n[^]*\n0$/,
    },
    {
      what: "write settings of the kernel",
      script:
        "for name in kernel/core_pattern vm/overcommit_memory kernel/hostname net/ipv4/ip_forward fs/suid_dumpable; do cat /proc/sys/$name > /proc/sys/$name && echo $name; done 2>/dev/null; true",
      expected: /^$/,
    },
    { what: "press the kernel's magic keys", script: "(echo h > /proc/sysrq-trigger) 2>/dev/null && echo pressed || echo no", expected: /^no$/ },
    { what: "read the kernel's memory", script: "head -c 16 /proc/kcore 2>/dev/null | wc -c; head -c 16 /proc/keys 2>/dev/null | wc -c", expected: /^0\n0$/ },
    { what: "find a release agent", script: "find / -name release_agent -o -name cgroup.procs 2>/dev/null", expected: /^$/ },
    {
      what: "write to programs, settings and modules",
      script:
        "for path in /usr/bin/pwned /etc/pwned /samovar/bin/node /samovar/runner.mjs /etc/resolv.conf; do (echo x >> $path) 2>/dev/null && echo $path; done; true",
      expected: /^$/,
    },
    {
      what: "become root by a program's owner",
      script: `cp /usr/bin/perl /tmp/perl && chmod 6755 /tmp/perl; /tmp/perl -e 'print $> == $< ? "same" : "gained"'; rm -f /tmp/perl`,
      expected: /^same$/,
    },
    {
      what: "gain rights",
      script: "grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t' ' '",
      expected: /^CapInh: 0+\nCapPrm: 0+\nCapEff: 0+\nCapBnd: 0+\nCapAmb: 0+\nNoNewPrivs: 1\nSeccomp: 2$/,
    },
    {
      what: "be the host's root",
      script: "awk '{ print ($2 > 100000) }' /proc/self/uid_map /proc/self/gid_map",
      expected: /^1\n1$/,
    },
    {
      what: "change the network of the host",
      script:
        "ip link add pwned type dummy 2>&1 | tail -1; ip addr add 192.0.2.77/32 dev lo 2>&1 | tail -1; nft flush ruleset 2>/dev/null && echo flushed; true",
      expected: /^((?!flushed)[^])*$/,
    },
    {
      what: "take more than its share by priority",
      script: "nice -n -10 true 2>&1 | grep -c -i -e permitted -e denied; (ulimit -n 10000000) 2>/dev/null && echo raised || echo kept",
      expected: /^1\nkept$/,
    },
  ];
}
