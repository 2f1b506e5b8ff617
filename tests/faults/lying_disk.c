/* A disk that loses at a power failure all that was not synchronised. Loaded with LD_PRELOAD.
 *
 * What fsync and fdatasync made last is copied to the folder LYING_DISK, under the file's inode number, before they
 * return. After all processes were killed, test_lying_disk.py puts these copies in the place of the files.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kept_path(char *path, size_t size, ino_t inode, const char *ending)
{
    snprintf(path, size, "%s/%lu%s", getenv("LYING_DISK"), (unsigned long)inode, ending);
    return path;
}

/* Copies as much of a file as there was before it was synchronised. */
static void keep(int file, const struct stat *before)
{
    char path[4096], part[4096], own[64], chunk[65536];
    snprintf(own, sizeof own, "/proc/self/fd/%d", file);
    snprintf(part, sizeof part, ".%d-%d", getpid(), file);
    kept_path(path, sizeof path, before->st_ino, part);
    int from = open(own, O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    off_t left = before->st_size;
    while (from >= 0 && to >= 0 && left > 0) {
        ssize_t count = read(from, chunk, left < (off_t)sizeof chunk ? left : (off_t)sizeof chunk);
        if (count <= 0 || write(to, chunk, count) != count)
            break;
        left -= count;
    }
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    char last[4096];
    int (*real_rename)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    real_rename(path, kept_path(last, sizeof last, before->st_ino, ""));
}

static int synchronise(int file, const char *call)
{
    int (*real)(int) = dlsym(RTLD_NEXT, call);
    struct stat before;
    int is_file = getenv("LYING_DISK") && !fstat(file, &before) && S_ISREG(before.st_mode);
    int result = real(file);
    if (is_file && !result)
        keep(file, &before);
    return result;
}

int fsync(int file) { return synchronise(file, "fsync"); }
int fdatasync(int file) { return synchronise(file, "fdatasync"); }

/* An inode number is used again: what was kept of the file that had it must not become another's. */
static void forget(const char *path)
{
    struct stat gone;
    char kept[4096];
    int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
    if (getenv("LYING_DISK") && !lstat(path, &gone) && S_ISREG(gone.st_mode) && gone.st_nlink == 1)
        real(kept_path(kept, sizeof kept, gone.st_ino, ""));
}

int unlink(const char *path)
{
    int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
    forget(path);
    return real(path);
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    forget(to);
    return real(from, to);
}
