// The first process of an instance of Norn on Incus. It runs one command and writes down how it ended.
//
// Incus keeps neither the output nor the exit code of an instance. So this program keeps both in files of the instance, which
// outlive incusd, and which the worker reads through the API:
//
//   go       the run may begin. It is taken away by exactly one of two: by the worker, or by this program, which renames it
//   begun    the moment of the beginning, in seconds
//   stdin    the input, when the run has one
//   stdout, stderr  the output, of which the beginning and the end are kept (pump.c)
//   state    the sizes of both, padded to 20 digits each, so that every reading finds whole numbers; at the end by another
//            file of that name, which has the end too: exit code, out of memory, ended from outside, moment
//   term, kill  made by the worker: send SIGTERM, end everything
#define _GNU_SOURCE
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK 50        // milliseconds between two looks for term and kill
#define LINGER 10000   // milliseconds for which the files stay quick to read after the end

static int state = -1, halted, termed;
static struct stream out, err;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put(const char *name, const char *text) {
  char path[64], half[64];
  snprintf(path, sizeof path, RUN "/%s", name);
  snprintf(half, sizeof half, RUN "/%s.new", name);
  int file = open(half, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return;
  ssize_t length = (ssize_t)strlen(text);
  if (write(file, text, (size_t)length) == length) rename(half, path);
  close(file);
}

static void say_sizes(void) {
  char line[64];
  int n = snprintf(line, sizeof line, "%020lld %020lld\n", (long long)out.size, (long long)err.size);
  if (pwrite(state, line, (size_t)n, 0) < 0) return;
}

static int is_there(const char *path) { return access(path, F_OK) == 0; }

static void heed_orders(pid_t child) {
  if (!termed && is_there(RUN "/term")) termed = kill(child, SIGTERM) == 0;
  if (is_there(RUN "/kill")) kill(-1, SIGKILL);
}

// Reaps; returns 1 when the command itself has ended.
static int reap(pid_t child, int *status) {
  int one, ended = 0;
  for (pid_t pid; (pid = waitpid(-1, &one, WNOHANG)) > 0;)
    if (pid == child) *status = one, ended = 1;
  return ended;
}

static void heed_signal(int signals, pid_t child) {
  struct signalfd_siginfo info;
  while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGPWR || info.ssi_signo == SIGINT) halted = 1, kill(child, SIGTERM);
}

static int follow(pid_t child, int signals, const struct spec *spec) {
  int status = 0, ended = 0, open_out = 1, open_err = 1;
  while (!ended) {
    struct pollfd fds[] = {{signals, POLLIN, 0}, {open_out ? out.from : -1, POLLIN, 0}, {open_err ? err.from : -1, POLLIN, 0}};
    poll(fds, 3, LOOK);
    int moved = 0;
    if (fds[1].revents) moved |= pump(&out, spec) < 0 ? (open_out = 0) : 1;
    if (fds[2].revents) moved |= pump(&err, spec) < 0 ? (open_err = 0) : 1;
    if (moved) say_sizes();
    heed_signal(signals, child);
    heed_orders(child);
    ended = reap(child, &status);
  }
  return status;
}

// Ends what the command has left behind, and takes the rest of the output: nobody is left who could add to it.
static void finish(int signals, const struct spec *spec) {
  int one;
  struct signalfd_siginfo info;
  kill(-1, SIGKILL);
  while (waitpid(-1, &one, 0) > 0 || errno == EINTR) continue;
  while (read(signals, &info, sizeof info) > 0) continue;
  while (pump(&out, spec) > 0) continue;
  while (pump(&err, spec) > 0) continue;
  say_sizes();
}

static int input(void) {
  int given = open(RUN "/stdin", O_RDONLY | O_CLOEXEC);
  char *hex = getenv("NORN_STDIN");
  if (given >= 0 || !hex) return given >= 0 ? given : open("/dev/null", O_RDONLY | O_CLOEXEC);
  size_t length;
  char *bytes = unhex(hex, &length);
  int file = open(RUN "/stdin", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (!bytes || file < 0 || write(file, bytes, length) != (ssize_t)length) return -1;
  close(file);
  return open(RUN "/stdin", O_RDONLY | O_CLOEXEC);
}

static char *given_spec(void) {
  static char text[4 << 20];
  char *spec = getenv("NORN_SPEC");
  if (spec && *spec) return spec;
  int file = open(RUN "/spec", O_RDONLY | O_CLOEXEC);
  ssize_t n = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  return n < 0 ? NULL : text;
}

static void conclude(int status, long oom) {
  char text[160];
  int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  snprintf(text, sizeof text, "%020lld %020lld %d %d %d %.6f\n", (long long)out.size, (long long)err.size, code, oom > 0,
           halted, now());
  put("state", text);
}

int main(void) {
  struct spec spec = {0};
  char moment[64];
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // Whoever renames first decides: after this the worker can no longer withdraw the run, and a second start finds no `go`.
  if (rename(RUN "/go", RUN "/begun") < 0) return 64;
  snprintf(moment, sizeof moment, "%.6f\n", now());
  put("begun", moment);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  int signals = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC), in = input();
  int to_out = open_stream(&out, RUN "/stdout"), to_err = open_stream(&err, RUN "/stderr");
  state = open(RUN "/state", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  char *text = given_spec();
  if (in < 0 || to_out < 0 || to_err < 0 || state < 0 || !text || read_spec(text, &spec) < 0) {
    conclude(BROKEN << 8, 0);
    return BROKEN;
  }
  prepare(&spec);
  long oom = oom_kills();
  pid_t child = fork();
  if (child == 0) {
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    confine(&spec, in, to_out, to_err);
  }
  close(in), close(to_out), close(to_err);
  int status = child < 0 ? BROKEN << 8 : follow(child, signals, &spec);
  finish(signals, &spec);
  conclude(status, oom_kills() - oom);
  struct pollfd stop = {signals, POLLIN, 0};
  poll(&stop, 1, LINGER);
  return 0;
}
