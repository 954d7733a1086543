#include "ledger/env.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"

namespace assent::ledger {
namespace {

Error failed(const std::string& what, const std::string& path, int error) {
    return Error{"cannot " + what + " " + path + ": " + std::strerror(error)};
}

class PosixFile : public File {
  public:
    PosixFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    Result<size_t> read_at(uint64_t offset, char* to, size_t size) override {
        size_t got = 0;
        while (got < size) {
            const ssize_t n = ::pread(fd_.get(), to + got, size - got, off_t(offset + got));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failed("read at offset " + std::to_string(offset + got) + " of", path_, errno);
            if (n == 0) break;
            got += size_t(n);
        }
        return got;
    }

    Trouble write_at(uint64_t offset, std::string_view bytes) override {
        while (!bytes.empty()) {
            const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), off_t(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failed("write at offset " + std::to_string(offset) + " of", path_, errno);
            bytes.remove_prefix(size_t(n));
            offset += uint64_t(n);
        }
        return {};
    }

    Trouble sync() override {
        // Not tried again, whatever the error: the kernel reports a lost page once.
        if (::fdatasync(fd_.get()) != 0) return failed("sync", path_, errno);
        return {};
    }

    Result<uint64_t> size() override {
        struct stat st {};
        if (::fstat(fd_.get(), &st) != 0) return failed("look at", path_, errno);
        return uint64_t(st.st_size);
    }

    Trouble forget_cache() override {
        const int error = ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
        // Advice only: a file system that does not know it (EINVAL, ENOSYS) does not keep us from starting.
        if (error != 0 && error != EINVAL && error != ENOSYS) return failed("drop the cache of", path_, error);
        return {};
    }

  private:
    Fd fd_;
    std::string path_;
};

class PosixLock : public Env::Lock {
  public:
    explicit PosixLock(Fd fd) : fd_(std::move(fd)) {}

  private:
    Fd fd_;
};

class PosixEnv : public Env {
  public:
    Result<std::unique_ptr<File>> open(const std::string& path, Access access) override {
        int flags = O_CLOEXEC | O_NOFOLLOW | (access == Access::read ? O_RDONLY : O_RDWR);
        if (access == Access::create) flags |= O_CREAT | O_TRUNC;
        Fd fd(::open(path.c_str(), flags, 0640));
        if (!fd) return failed(access == Access::create ? "make" : "open", path, errno);
        // Whatever the umask says: the state folder's group may read.
        if (access == Access::create && ::fchmod(fd.get(), 0640) != 0) return failed("set the mode of", path, errno);
        return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(fd), path));
    }

    Result<std::vector<std::string>> list(const std::string& dir) override {
        std::unique_ptr<DIR, int (*)(DIR*)> d(::opendir(dir.c_str()), ::closedir);
        if (!d) return failed("open the folder", dir, errno);
        std::vector<std::string> names;
        for (;;) {
            errno = 0;
            const dirent* entry = ::readdir(d.get());
            if (entry == nullptr) break;
            const std::string name = entry->d_name;
            if (name != "." && name != "..") names.push_back(name);
        }
        if (errno != 0) return failed("list the folder", dir, errno);
        return names;
    }

    Trouble rename(const std::string& from, const std::string& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename " + from + " to", to, errno);
        return {};
    }

    Trouble unlink(const std::string& path) override {
        if (::unlink(path.c_str()) != 0) return failed("remove", path, errno);
        return {};
    }

    Trouble sync_dir(const std::string& dir) override {
        Fd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!fd) return failed("open the folder", dir, errno);
        if (::fsync(fd.get()) != 0) return failed("sync the folder", dir, errno);
        return {};
    }

    Result<std::unique_ptr<Lock>> lock(const std::string& dir) override {
        Fd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!fd) return failed("open the folder", dir, errno);
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return failed("lock the folder", dir, errno);
            return Error{"the folder " + dir + " is in use by another process (is assentd already running?)"};
        }
        return std::unique_ptr<Lock>(std::make_unique<PosixLock>(std::move(fd)));
    }
};

}  // namespace

Env& posix_env() {
    static PosixEnv env;
    return env;
}

}  // namespace assent::ledger
