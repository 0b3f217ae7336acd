// The place of a run: a root that it may only read, memory for its scratch files, no view of this init, no rights.
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fail(const char *what) {
  dprintf(2, "norn-init: %s: %s\n", what, strerror(errno));
  _exit(BROKEN);
}

static void write_file(const char *path, char **lines, const char *first) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return;
  if (first) dprintf(file, "%s\n", first);
  for (; lines && *lines; lines++) dprintf(file, "%s\n", *lines);
  close(file);
}

// What Docker gives every container: a loopback interface that is up, names in /etc/hosts, and a resolver.
void prepare(const struct spec *spec) {
  struct ifreq request = {.ifr_name = "lo"};
  int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (s >= 0 && ioctl(s, SIOCGIFFLAGS, &request) == 0) {
    request.ifr_flags |= IFF_UP;
    ioctl(s, SIOCSIFFLAGS, &request);
  }
  if (s >= 0) close(s);
  char *resolver = getenv("NORN_RESOLVER"), line[256];
  mkdir("/etc", 0755);
  write_file("/etc/hosts", spec->hosts, "127.0.0.1 localhost");
  if (resolver) {
    snprintf(line, sizeof line, "nameserver %s", resolver);
    write_file("/etc/resolv.conf", NULL, line);
  }
}

static void directories(const char *path) {
  char part[4096];
  snprintf(part, sizeof part, "%s", path);
  for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdir(part, 0755);
    *slash = '/';
  }
  mkdir(part, 0755);
}

static void memory_at(const char *path, const char *options, unsigned long flags) {
  directories(path);
  if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | flags, options) < 0) fail(path);
}

static void read_only(const char *path) {
  if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0) return; // it is not in this kernel
  struct { uint64_t set, clear, propagation, namespace; } all = {1, 0, 0, 0}; // MOUNT_ATTR_RDONLY, which old headers lack
  syscall(SYS_mount_setattr, -1, path, AT_RECURSIVE, &all, sizeof all); // what is mounted below it, since Linux 5.12
  if (mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) fail(path);
}

static void masked(const char *path) {
  struct stat it;
  if (stat(path, &it) < 0) return;
  int failed = S_ISDIR(it.st_mode) ? mount("tmpfs", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0")
                                   : mount("/dev/null", path, NULL, MS_BIND, NULL);
  if (failed) fail(path);
}

static const char *const READ_ONLY[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys", NULL};
static const char *const MASKED[] = {
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
    "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware", NULL};

// Devices that Incus gives every container, and Docker none: a run needs neither, and each is a way into the kernel.
static const char *const NO_DEVICES[] = {"/dev/fuse", "/dev/net/tun", NULL};

static void without(const char *device) {
  umount2(device, MNT_DETACH); // each is a mount of its own
  if (unlink(device) < 0 && errno != ENOENT && errno != ENOTDIR) fail(device);
}

// Otherwise a run could make namespaces in which it has every capability, and call what only those may call.
static void no_namespaces(void) {
  static const char *const kinds[] = {"user", "mnt", "net", "pid", "ipc", "uts", "cgroup", "time", NULL};
  char path[64];
  for (const char *const *kind = kinds; *kind; kind++) {
    snprintf(path, sizeof path, "/proc/sys/user/max_%s_namespaces", *kind);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT && !strcmp(*kind, "time")) continue; // a kernel before 5.6
    if (file < 0 || write(file, "0", 1) != 1) fail(path);
    close(file);
  }
}

static void file_system(const struct spec *spec) {
  if (unshare(CLONE_NEWNS) < 0) fail("unshare");
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) fail("private mounts");
  no_namespaces(); // before anything that the image names is mounted, which could be over these files
  for (const char *const *device = NO_DEVICES; *device; device++) without(*device);
  rmdir("/dev/net");
  memory_at("/dev/shm", "size=64m,mode=1777", MS_NOEXEC);
  if (!spec->writable) {
    memory_at("/tmp", spec->scratch, 0);
    for (char **path = spec->tmpfs; *path; path++) memory_at(*path, spec->scratch, 0);
  }
  memory_at("/.norn", "size=4k,mode=0555", MS_NOEXEC);
  if (mount(NULL, "/.norn", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) fail("/.norn");
  for (const char *const *path = MASKED; *path; path++) masked(*path);
  for (const char *const *path = READ_ONLY; *path; path++) read_only(*path);
  if (spec->writable) return;
  if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0) fail("read-only root");
}

static void no_rights(const struct spec *spec) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) fail("bounding set");
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (setgroups(spec->ngroups, spec->groups) < 0) fail("setgroups");
  if (setresgid(spec->gid, spec->gid, spec->gid) < 0) fail("setgid");
  if (setresuid(spec->uid, spec->uid, spec->uid) < 0) fail("setuid");
  if (syscall(SYS_capset, &header, none) < 0) fail("capset");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("no_new_privs");
  if (forbid_calls() < 0) fail("seccomp");
}

static void start(const struct spec *spec) {
  environ = spec->env;
  if (chdir(spec->directory) < 0) {
    dprintf(2, "%s: %s\n", spec->directory, strerror(errno));
    _exit(NOT_FOUND);
  }
  execvp(spec->argv[0], spec->argv);
  int missing = errno == ENOENT || errno == ENOTDIR;
  dprintf(2, "exec %s: %s\n", spec->argv[0], strerror(errno));
  _exit(missing ? NOT_FOUND : NOT_RUNNABLE);
}

void confine(const struct spec *spec, int in, int out, int err) {
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(BROKEN);
  setsid();
  // A program may open its streams by name, such as /dev/stdout.
  for (int stream = 0; stream < 3; stream++)
    if (fchown(stream, spec->uid, spec->gid) < 0 && stream) fail("streams");
  directories(spec->directory);
  file_system(spec);
  no_rights(spec);
  start(spec);
}
