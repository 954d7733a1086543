// A bad disk and bad clocks for one process: LD_PRELOAD. Only files below $ASSENT_SHIM_STATE are concerned; what to do
// is read from the file $ASSENT_SHIM_CONTROL at every call. What was written and is not synced yet can be taken back by
// the test after a kill: for each write the bytes that it replaces are kept in $ASSENT_SHIM_UNDO, until a sync.
// Renames, removals and new files count as durable at once.
#include "shim.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace assent::shim {
namespace {

using Key = std::pair<dev_t, ino_t>;

const Control& control() {
    static const Control* mapped = [] {
        static const Control harmless{};
        const char* path = getenv("ASSENT_SHIM_CONTROL");
        const int fd = path == nullptr ? -1 : int(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
        if (fd < 0) return &harmless;
        void* at = mmap(nullptr, sizeof(Control), PROT_READ, MAP_SHARED, fd, 0);
        syscall(SYS_close, fd);
        return at == MAP_FAILED ? &harmless : static_cast<const Control*>(at);
    }();
    return *mapped;
}

std::string from_environment(const char* name) {
    const char* value = getenv(name);
    return value == nullptr ? "" : value;
}

// The files of the state folder, each with its undo file. Never destroyed: other threads go on to the very end.
class Files {
  public:
    static Files& all() {
        static auto* files = new Files;
        return *files;
    }

    bool ours(int fd) {
        struct stat st {};
        return ours(fd, st);
    }

    // Before a write of `size` bytes at `offset` (-1: at the end), or a cut there.
    void about_to_change(int fd, off_t offset, size_t size) {
        struct stat st {};
        if (!ours(fd, st) || !S_ISREG(st.st_mode)) return;
        const auto file_size = uint64_t(st.st_size);
        Undo undo{offset < 0 ? file_size : uint64_t(offset), file_size, 0};
        undo.size = undo.offset < file_size ? std::min<uint64_t>(size, file_size - undo.offset) : 0;
        std::string bytes(sizeof undo + undo.size, '\0');
        // The file may be open for writing only.
        const std::string path = "/proc/self/fd/" + std::to_string(fd);
        const int reader = undo.size == 0 ? -1 : int(syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC));
        if (reader >= 0) {
            undo.size = uint64_t(
                std::max<long>(0, syscall(SYS_pread64, reader, bytes.data() + sizeof undo, undo.size, undo.offset)));
            syscall(SYS_close, reader);
        }
        memcpy(bytes.data(), &undo, sizeof undo);
        const std::lock_guard guard(mutex_);
        syscall(SYS_write, undo_of({st.st_dev, st.st_ino}), bytes.data(), sizeof undo + undo.size);
    }

    void synced(int fd) {
        struct stat st {};
        if (ours(fd, st)) forget({st.st_dev, st.st_ino});
    }

    // The name's file is gone, and its number may be used again.
    void removed(const struct stat& st) {
        if (st.st_nlink <= 1) forget({st.st_dev, st.st_ino});
    }

  private:
    bool ours(int fd, struct stat& st) {
        if (state_.empty() || fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) return false;
        const std::lock_guard guard(mutex_);
        const auto known = known_.find({st.st_dev, st.st_ino});
        if (known != known_.end()) return known->second >= 0;
        char path[4096];
        const ssize_t size = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
        const std::string name(path, size > 0 ? size_t(size) : 0);
        // RocksDB's log for people is never synced.
        const bool is = name.compare(0, state_.size(), state_) == 0 && name.find("/LOG") == std::string::npos;
        known_[{st.st_dev, st.st_ino}] = is ? 0 : -1;
        return is;
    }

    int undo_of(Key key) {
        int& fd = known_[key];
        if (fd > 0) return fd;
        const std::string path = undo_ + "/" + std::to_string(key.second);
        fd = int(syscall(SYS_openat, AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        if (fd <= 0) abort();
        return fd;
    }

    void forget(Key key) {
        if (state_.empty()) return;
        const std::lock_guard guard(mutex_);
        if (known_.count(key) != 0 && known_[key] < 0) return;
        syscall(SYS_ftruncate, undo_of(key), 0);
    }

    std::string state_ = from_environment("ASSENT_SHIM_STATE");
    std::string undo_ = from_environment("ASSENT_SHIM_UNDO");
    std::mutex mutex_;
    std::map<Key, int> known_;  // -1: not ours; 0: no undo file opened yet
};

int sync(int fd, long call) {
    if (!Files::all().ours(fd)) return int(syscall(call, fd));
    const Control& told = control();
    if (told.sync_delay_us > 0) usleep(told.sync_delay_us);
    if (told.sync == sync_fails) {
        errno = EIO;
        return -1;
    }
    if (told.sync == sync_lies) return 0;
    const int result = int(syscall(call, fd));
    if (result == 0) Files::all().synced(fd);
    return result;
}

// False: the write shall fail, errno is set.
bool may_write(int fd, off_t offset, size_t size) {
    if (!Files::all().ours(fd)) return true;
    if (control().write_error != 0) {
        errno = int(control().write_error);
        return false;
    }
    Files::all().about_to_change(fd, offset, size);
    return true;
}

off_t write_position(int fd) {
    if ((fcntl(fd, F_GETFL) & O_APPEND) != 0) return -1;
    return lseek(fd, 0, SEEK_CUR);
}

// What a clock that said `said` at `from` says now.
int64_t said_now(int64_t now, int64_t from, int64_t said, int32_t ppm) {
    return said + (now - from) + int64_t(__int128(now - from) * ppm / 1'000'000);
}

int64_t adjusted(clockid_t id, int64_t now) {
    const Control& told = control();
    for (;;) {
        const uint32_t version = told.version.load(std::memory_order_acquire);
        if (version == 0) return now;
        int64_t result = now;
        if (id == CLOCK_REALTIME) result = now + told.wall_offset_ns;
        if (id == CLOCK_MONOTONIC_RAW) result = said_now(now, told.raw_from_ns, told.raw_said_ns, told.rate_ppm);
        if (id == CLOCK_BOOTTIME) result = said_now(now, told.boot_from_ns, told.boot_said_ns, told.rate_ppm);
        std::atomic_thread_fence(std::memory_order_acquire);
        if (version % 2 == 0 && version == told.version.load(std::memory_order_relaxed)) return result;
    }
}

void about_to_remove(const char* path) {
    struct stat st {};
    const int saved = errno;
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) Files::all().removed(st);
    errno = saved;
}

}  // namespace
}  // namespace assent::shim

using namespace assent::shim;

extern "C" {

int fsync(int fd) { return sync(fd, SYS_fsync); }
int fdatasync(int fd) { return sync(fd, SYS_fdatasync); }

ssize_t write(int fd, const void* bytes, size_t size) {
    if (fd > 2 && !may_write(fd, write_position(fd), size)) return -1;
    return syscall(SYS_write, fd, bytes, size);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
    if (!may_write(fd, offset, size)) return -1;
    return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) { return pwrite(fd, bytes, size, offset); }

int ftruncate(int fd, off_t size) noexcept {
    if (!may_write(fd, size, SIZE_MAX)) return -1;
    return int(syscall(SYS_ftruncate, fd, size));
}

int ftruncate64(int fd, off64_t size) noexcept { return ftruncate(fd, size); }

int unlink(const char* path) noexcept {
    about_to_remove(path);
    return int(syscall(SYS_unlink, path));
}

int rename(const char* from, const char* to) noexcept {
    about_to_remove(to);
    return int(syscall(SYS_rename, from, to));
}

int clock_gettime(clockid_t id, timespec* t) noexcept {
    static const auto real = reinterpret_cast<int (*)(clockid_t, timespec*)>(dlsym(RTLD_NEXT, "clock_gettime"));
    const int result = real != nullptr ? real(id, t) : int(syscall(SYS_clock_gettime, id, t));
    if (result != 0 || (id != CLOCK_REALTIME && id != CLOCK_MONOTONIC_RAW && id != CLOCK_BOOTTIME)) return result;
    const int64_t now = adjusted(id, t->tv_sec * 1'000'000'000ll + t->tv_nsec);
    t->tv_sec = now / 1'000'000'000;
    t->tv_nsec = now % 1'000'000'000;
    return 0;
}
}
