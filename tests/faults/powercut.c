/*
 * Loaded into a server before its C library: notes what a power cut would leave, and is a disk that gets full.
 *
 * POWERCUT_NOTES  file to append to, one line an event, of the file with this device and inode:
 *                   synced DEV INO BYTES   a successful fsync covered so many bytes
 *                   cut    DEV INO BYTES   it was made so short
 *                   gone   DEV INO 0       its name was removed or given to another file; the inode may be used again
 * POWERCUT_BYTES  how many bytes may be written to files; after that there is no space (none: no limit)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int notes = -1;
static long long bytes_left = -1;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("POWERCUT_NOTES"), *bytes = getenv("POWERCUT_BYTES");
  if (path) notes = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (bytes) bytes_left = atoll(bytes);
}

static int is_file(int fd, struct stat *file) { return fstat(fd, file) == 0 && S_ISREG(file->st_mode); }

static void note(const char *what, const struct stat *file, long long bytes) {
  char line[128];
  int length = snprintf(line, sizeof line, "%s %llu %llu %lld\n", what, (unsigned long long)file->st_dev,
                        (unsigned long long)file->st_ino, bytes);
  int before = errno;
  /* Not write(): the disk that gets full is the server's. One call appends the line whole, from any thread. */
  if (notes >= 0 && syscall(SYS_write, notes, line, (size_t)length) != length) abort();
  errno = before;
}

static int sync_with(const char *name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  struct stat file;
  /* Before the call: what is written meanwhile by another thread need not be covered. */
  int known = is_file(fd, &file);
  int result = real(fd);
  if (result == 0 && known) note("synced", &file, (long long)file.st_size);
  return result;
}

int fsync(int fd) { return sync_with("fsync", fd); }
int fdatasync(int fd) { return sync_with("fdatasync", fd); }

static int cut_with(const char *name, int fd, off_t bytes) {
  int (*real)(int, off_t) = (int (*)(int, off_t))dlsym(RTLD_NEXT, name);
  struct stat file;
  int result = real(fd, bytes);
  if (result == 0 && is_file(fd, &file)) note("cut", &file, (long long)bytes);
  return result;
}

/* Programs that are built for large files call the second one. */
int ftruncate(int fd, off_t bytes) { return cut_with("ftruncate", fd, bytes); }
int ftruncate64(int fd, off64_t bytes) { return cut_with("ftruncate64", fd, bytes); }

int unlink(const char *path) {
  int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
  struct stat file;
  int known = lstat(path, &file) == 0, result = real(path);
  if (result == 0 && known) note("gone", &file, 0);
  return result;
}

int rename(const char *from, const char *to) {
  int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
  struct stat file;
  int known = lstat(to, &file) == 0, result = real(from, to);
  if (result == 0 && known) note("gone", &file, 0);
  return result;
}

ssize_t write(int fd, const void *data, size_t bytes) {
  struct stat file;
  if (bytes_left >= 0 && is_file(fd, &file)) {
    if (bytes_left == 0 && bytes > 0) {
      errno = ENOSPC;
      return -1;
    }
    if ((long long)bytes > bytes_left) bytes = (size_t)bytes_left;
    bytes_left -= (long long)bytes;
  }
  return syscall(SYS_write, fd, data, bytes);
}
