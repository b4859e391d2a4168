/* Makes fdatasync and fsync take longer, by as many microseconds as a file says; loaded by LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile long *delay_us;

__attribute__((constructor)) static void look(void)
{
    const char *path = getenv("SLOWSYNC_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *page = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
        delay_us = page == MAP_FAILED ? NULL : page;
        close(file);
    }
}

static int slowly(const char *name, int file)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int result = real(file);
    long wait_us = delay_us ? *delay_us : 0;
    if (wait_us > 0) {
        struct timespec wait = {wait_us / 1000000, wait_us % 1000000 * 1000};
        nanosleep(&wait, NULL);
    }
    return result;
}

int fdatasync(int file) { return slowly("fdatasync", file); }
int fsync(int file) { return slowly("fsync", file); }
