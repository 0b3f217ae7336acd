// Reads the description of a run: hexadecimal, with fields that end with NUL, so that any byte of an environment fits.
#include "init.h"

#include <stdlib.h>
#include <string.h>

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

char *unhex(const char *hex, size_t *length) {
  size_t n = strlen(hex) / 2;
  char *bytes = malloc(n + 1);
  if (!bytes) return NULL;
  for (size_t i = 0; i < n; i++) {
    int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return NULL;
    bytes[i] = (char)(high * 16 + low);
  }
  bytes[n] = 0;
  *length = n;
  return bytes;
}

// A list of fields is its length, then its members.
static char **list(char ***next, char **end) {
  if (*next >= end) return NULL;
  long n = strtol(*(*next)++, NULL, 10);
  if (n < 0 || n > end - *next) return NULL;
  char **made = calloc((size_t)n + 1, sizeof *made);
  if (!made) return NULL;
  memcpy(made, *next, (size_t)n * sizeof *made);
  *next += n;
  return made;
}

int read_spec(const char *hex, struct spec *spec) {
  size_t length, count = 0;
  char *bytes = unhex(hex, &length);
  if (!bytes) return -1;
  for (size_t i = 0; i < length; i++) count += bytes[i] == 0;
  char **fields = calloc(count + 1, sizeof *fields), **next = fields, **end = fields + count;
  if (!fields || count < 12) return -1;
  char *at = bytes;
  for (size_t i = 0; i < count; i++, at += strlen(at) + 1) fields[i] = at;
  spec->writable = (*next++)[0] == 'w';
  spec->uid = (uid_t)strtoul(*next++, NULL, 10);
  spec->gid = (gid_t)strtoul(*next++, NULL, 10);
  spec->directory = *next++;
  spec->scratch = *next++;
  spec->head = strtoll(*next++, NULL, 10);
  spec->tail = strtoll(*next++, NULL, 10);
  char **groups = list(&next, end);
  spec->env = list(&next, end);
  spec->tmpfs = list(&next, end);
  spec->hosts = list(&next, end);
  spec->argv = list(&next, end);
  if (!groups || !spec->env || !spec->tmpfs || !spec->hosts || !spec->argv || !spec->argv[0]) return -1;
  for (spec->ngroups = 0; groups[spec->ngroups] && spec->ngroups < 64; spec->ngroups++)
    spec->groups[spec->ngroups] = (gid_t)strtoul(groups[spec->ngroups], NULL, 10);
  return 0;
}
