// Counts what the kernel killed for want of memory, with either version of cgroups.
#include "init.h"

#include <stdio.h>
#include <string.h>

static long counted(const char *path, const char *word) {
  char name[64];
  long value, found = -1;
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  while (fscanf(file, "%63s %ld", name, &value) == 2)
    if (!strcmp(name, word)) found = value;
  fclose(file);
  return found;
}

// The own cgroup as /proc/self/cgroup names it, below where the hierarchy is mounted, or that mount itself.
static long below(const char *mount, const char *group, const char *file) {
  char path[4096];
  snprintf(path, sizeof path, "%s%s/%s", mount, group, file);
  long found = counted(path, "oom_kill");
  if (found >= 0) return found;
  snprintf(path, sizeof path, "%s/%s", mount, file);
  return counted(path, "oom_kill");
}

long oom_kills(void) {
  char line[4096];
  long found = -1;
  FILE *file = fopen("/proc/self/cgroup", "re");
  while (file && found < 0 && fgets(line, sizeof line, file)) {
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) continue;
    *group++ = 0;
    group[strcspn(group, "\n")] = 0;
    if (!strcmp(controllers + 1, "memory")) found = below("/sys/fs/cgroup/memory", group, "memory.oom_control");
    if (!strcmp(controllers + 1, "")) found = below("/sys/fs/cgroup", group, "memory.events");
  }
  if (file) fclose(file);
  return found < 0 ? 0 : found;
}
