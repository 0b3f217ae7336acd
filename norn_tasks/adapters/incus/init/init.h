// What the parts of the init share: where its files are, and what a run is.
#ifndef NORN_INIT_H
#define NORN_INIT_H

#include <stddef.h>
#include <sys/types.h>

#define RUN "/.norn/run"
#define NOT_RUNNABLE 126
#define NOT_FOUND 127
#define BROKEN 125

struct spec {
  char **fields, **env, **tmpfs, **hosts, **argv;
  int writable;
  uid_t uid;
  gid_t gid;
  gid_t groups[64];
  size_t ngroups;
  const char *directory, *scratch;
  off_t head, tail;
};

// spec.c: reads NORN_SPEC; returns 0, or -1 when it is not one.
int read_spec(const char *hex, struct spec *spec);
char *unhex(const char *hex, size_t *length);

// confine.c: makes the place of the run's first process, gives up every right, and starts it; does not return.
void confine(const struct spec *spec, int in, int out, int err);
void prepare(const struct spec *spec);

// calls.c: forbids calls of the kernel that no run needs, beside those that Incus forbids.
int forbid_calls(void);

// pump.c: the files of the output, of which the beginning and the end are kept.
struct stream {
  int from, file;
  off_t size, punched;
};
int open_stream(struct stream *stream, const char *path);
int pump(struct stream *stream, const struct spec *spec);

// memory.c: how often the kernel has killed a process of this instance because of its memory.
long oom_kills(void);

#endif
