// Calls of the kernel by which programs have left containers through its defects, and which no run needs: Docker forbids them
// for its containers too, and Incus, whose containers are whole systems, does not.
#include "init.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#define FORBID(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

int forbid_calls(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS), // programs of another architecture
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#if defined __x86_64__
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), // x32
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
#endif
      FORBID(SYS_io_uring_setup), FORBID(SYS_io_uring_enter), FORBID(SYS_io_uring_register), FORBID(SYS_bpf),
      FORBID(SYS_keyctl), FORBID(SYS_add_key), FORBID(SYS_request_key), FORBID(SYS_perf_event_open),
      FORBID(SYS_userfaultfd), FORBID(SYS_kexec_load), FORBID(SYS_kexec_file_load), FORBID(SYS_init_module),
      FORBID(SYS_finit_module), FORBID(SYS_delete_module), FORBID(SYS_mount), FORBID(SYS_umount2), FORBID(SYS_pivot_root),
      FORBID(SYS_setns), FORBID(SYS_unshare), FORBID(SYS_open_by_handle_at), FORBID(SYS_fsopen), FORBID(SYS_move_mount),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
