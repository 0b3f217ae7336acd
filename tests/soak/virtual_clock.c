/* A clock and a machine for Debian's cron: preloaded into the untouched daemon, it lets a year pass in seconds.

   Time only passes in sleep(). The ten seconds that cron sleeps between the runs of one changed hour take none, so that
   what belongs together is written down under one minute. Files of cron are those below CRON_ROOT. A job is not
   started: the child that would become it writes the virtual time and its command to CRON_LOG, and ends. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const unsigned BETWEEN_RUNS = 10;
static time_t now, end;
static int child;

__attribute__((constructor)) static void begin(void) {
  now = atol(getenv("CRON_BEGIN"));
  end = atol(getenv("CRON_END"));
}

/* The clock */

time_t time(time_t *into) {
  if (into != NULL) *into = now;
  return now;
}

unsigned sleep(unsigned seconds) {
  while (waitpid(-1, NULL, 0) > 0) continue;
  if (seconds != BETWEEN_RUNS) now += seconds;
  if (now > end) _exit(0);
  return 0;
}

/* The machine */

static const char *placed(const char *path, char *into) {
  static const char *const OURS[] = {"/etc/cron", "/var/spool/cron", "/var/run/crond", "/run/crond"};
  for (size_t i = 0; i < sizeof OURS / sizeof *OURS; i++)
    if (strncmp(path, OURS[i], strlen(OURS[i])) == 0) {
      snprintf(into, 4096, "%s%s", getenv("CRON_ROOT"), path);
      return into;
    }
  return path;
}

#define PLACED(path) placed(path, (char[4096]){0})

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int mode = va_arg(more, int);
  va_end(more);
  return REAL(open)(PLACED(path), flags, mode);
}
int creat(const char *path, mode_t mode) { return REAL(creat)(PLACED(path), mode); }
int access(const char *path, int mode) { return REAL(access)(PLACED(path), mode); }
int chdir(const char *path) { return REAL(chdir)(PLACED(path)); }
int mkdir(const char *path, mode_t mode) { return REAL(mkdir)(PLACED(path), mode); }
int stat(const char *path, struct stat *into) { return REAL(stat)(PLACED(path), into); }
int lstat(const char *path, struct stat *into) { return REAL(lstat)(PLACED(path), into); }
FILE *fopen(const char *path, const char *mode) { return REAL(fopen)(PLACED(path), mode); }
DIR *opendir(const char *path) { return REAL(opendir)(PLACED(path)); }
FILE *tmpfile(void) { return REAL(fopen)("/dev/null", "w+"); }
void openlog(const char *who, int how, int what) { (void)who, (void)how, (void)what; }
void __syslog_chk(int level, int flag, const char *text, ...) { (void)level, (void)flag, (void)text; }

/* Whose rights a job would have does not matter here. */

int setuid(uid_t who) { return (void)who, 0; }
int seteuid(uid_t who) { return (void)who, 0; }
int setgid(gid_t who) { return (void)who, 0; }
int setegid(gid_t who) { return (void)who, 0; }
int initgroups(const char *who, gid_t group) { return (void)who, (void)group, 0; }
int is_selinux_enabled(void) { return 0; }
int pam_start(const char *service, const char *user, const void *talk, void **handle) {
  (void)service, (void)user, (void)talk;
  *handle = &child;
  return 0;
}
int pam_set_item(void *handle, int item, const void *value) { return (void)handle, (void)item, (void)value, 0; }
int pam_acct_mgmt(void *handle, int flags) { return (void)handle, flags & 0; }
int pam_setcred(void *handle, int flags) { return (void)handle, flags & 0; }
int pam_open_session(void *handle, int flags) { return (void)handle, flags & 0; }
int pam_close_session(void *handle, int flags) { return (void)handle, flags & 0; }
int pam_end(void *handle, int status) { return (void)handle, status & 0; }
char **pam_getenvlist(void *handle) { return (void)handle, calloc(1, sizeof(char *)); }

/* The jobs */

pid_t fork(void) {
  if (child) return 0; /* cron's child goes on as the job's own process */
  pid_t made = REAL(fork)();
  child = made == 0;
  return made;
}

int execle(const char *path, const char *name, ...) {
  va_list words;
  va_start(words, name);
  (void)va_arg(words, const char *); /* -c */
  const char *command = va_arg(words, const char *);
  va_end(words);
  (void)path;
  char line[64];
  int size = snprintf(line, sizeof line, "%ld %s\n", (long)now, command);
  int log = REAL(open)(getenv("CRON_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
  _exit(log < 0 || write(log, line, size) != size);
}
