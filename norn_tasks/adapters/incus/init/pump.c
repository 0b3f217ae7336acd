// Keeps the output of a run in files of bounded size: of each stream the beginning and the end, at their own offsets, with a
// hole between them. So a reader finds a byte at the offset at which the run wrote it, however much was written.
#define _GNU_SOURCE
#include "init.h"

#include <fcntl.h>
#include <unistd.h>

#define STEP (256 * 1024)

int open_stream(struct stream *stream, const char *path) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  fcntl(ends[0], F_SETPIPE_SZ, STEP);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  stream->from = ends[0];
  stream->size = stream->punched = 0;
  stream->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  return stream->file < 0 ? -1 : ends[1];
}

static void punch(struct stream *stream, const struct spec *spec) {
  off_t from = stream->punched > spec->head ? stream->punched : spec->head, to = stream->size - spec->tail;
  if (to - from < STEP) return;
  if (fallocate(stream->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, to - from) == 0) stream->punched = to;
}

// Moves what is there; returns 1 when something was moved, 0 when nothing is there, -1 at the end of the stream.
int pump(struct stream *stream, const struct spec *spec) {
  static char block[STEP];
  ssize_t n = read(stream->from, block, sizeof block);
  if (n == 0) return -1;
  if (n < 0) return 0;
  // A full disk loses output and not the run: the offset goes on, and the file has a hole there.
  if (pwrite(stream->file, block, (size_t)n, stream->size) < n && ftruncate(stream->file, stream->size + n) < 0) n = 0;
  stream->size += n;
  punch(stream, spec);
  return 1;
}
