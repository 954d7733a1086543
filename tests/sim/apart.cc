#include "apart.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace assent::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRunSeconds = 1800;
constexpr bool kSanitizer = true;  // reports crashes of memory itself
#else
constexpr int kRunSeconds = 180;
constexpr bool kSanitizer = false;
#endif
constexpr int kCrashCode = 4;

// ---- a report as bytes

void put(std::string& out, uint64_t value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); }
void put(std::string& out, const std::string& text) {
    put(out, text.size());
    out += text;
}

class Reader {
  public:
    explicit Reader(const std::string& bytes) : bytes_(bytes) {}
    uint64_t number() {
        uint64_t value = 0;
        std::memcpy(&value, take(sizeof value), sizeof value);
        return value;
    }
    std::string text() {
        size_t size = number();
        return std::string(take(size), size);
    }
    const char* take(size_t size) {
        if (bytes_.size() - at_ < size) throw std::runtime_error("a report that is too short");
        at_ += size;
        return bytes_.data() + at_ - size;
    }

  private:
    const std::string& bytes_;
    size_t at_ = 0;
};

std::string encode(const Report& r) {
    std::string out;
    put(out, r.seed);
    put(out, uint64_t(r.outcome));
    put(out, r.what);
    put(out, r.lines);
    out.append(reinterpret_cast<const char*>(&r.counts), sizeof r.counts);
    put(out, r.rare.size());
    for (const auto& [name, count] : r.rare) put(out, name), put(out, count.asked), put(out, count.taken);
    put(out, r.struck.size());
    for (uint32_t number : r.struck) put(out, uint64_t(number));
    put(out, uint64_t(r.faults_us));
    put(out, uint64_t(r.clients));
    put(out, uint64_t(r.nodes));
    return out;
}

Report decode(const std::string& bytes) {
    Reader in(bytes);
    Report r;
    r.seed = in.number();
    r.outcome = Outcome(in.number());
    r.what = in.text();
    r.lines = in.text();
    std::memcpy(&r.counts, in.take(sizeof r.counts), sizeof r.counts);
    for (uint64_t left = in.number(); left > 0; --left) {
        std::string name = in.text();
        r.rare[name] = {in.number(), in.number()};
    }
    for (uint64_t left = in.number(); left > 0; --left) r.struck.push_back(uint32_t(in.number()));
    r.faults_us = int64_t(in.number());
    r.clients = uint32_t(in.number());
    r.nodes = uint32_t(in.number());
    return r;
}

void write_all(int fd, const std::string& bytes) {
    size_t done = 0;
    while (done < bytes.size()) {
        ssize_t n = write(fd, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) _exit(1);  // whoever wanted it is gone
        done += size_t(n);
    }
}

// ---- crashes

void write_line(const char* text, size_t size) {
    ssize_t ignored = write(STDERR_FILENO, text, size);
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
}

// The handler was taken away before it was called: a crash in here is a plain one.
void on_crash(int signal_number) {
    if (const std::deque<std::string>* lines = lines_so_far()) {
        for (const std::string& line : *lines) write_line(line.data(), line.size());
    }
    const char* what = signal_number == SIGPROF ? "CRASH: the run does not end" : "CRASH";
    write_line(what, std::strlen(what));
    _exit(kCrashCode);
}

void limit_run() {
    itimerval limit{};
    limit.it_value.tv_sec = kRunSeconds;
    setitimer(ITIMER_PROF, &limit, nullptr);
}

int64_t now_us() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return int64_t(t.tv_sec) * 1'000'000 + t.tv_nsec / 1'000;
}

}  // namespace

void watch_this_process() {
    struct sigaction action = {};
    action.sa_handler = on_crash;
    action.sa_flags = int(SA_RESETHAND);
    for (int signal_number : {SIGABRT, SIGPROF}) sigaction(signal_number, &action, nullptr);
    if (kSanitizer) return;
    for (int signal_number : {SIGSEGV, SIGFPE, SIGBUS, SIGILL}) sigaction(signal_number, &action, nullptr);
}

const char* name(Outcome outcome) {
    static constexpr const char* kNames[] = {"fine", "SAFETY", "LIVENESS", "CRASH", "NOT THE SAME THE SECOND TIME"};
    return kNames[size_t(outcome)];
}

int exit_code(Outcome outcome) { return outcome == Outcome::fine ? 0 : 1 + int(outcome); }

Report run_here(const RunOptions& options, bool twice) {
    limit_run();
    RunResult result = run_once(options);
    Report r;
    r.seed = options.seed;
    r.outcome = Outcome(result.failure);
    r.what = result.what;
    for (const std::string& line : result.lines) r.lines += "  " + line + "\n";
    if (result.failure == Kind::none) r.lines.clear();
    r.counts = result.counts;
    r.rare = std::move(result.rare);
    r.struck = std::move(result.struck);
    r.faults_us = result.faults_us;
    r.clients = result.clients;
    r.nodes = result.nodes;
    if (twice && result.failure == Kind::none && run_once(options).digest != result.digest) {
        r.outcome = Outcome::different;
        r.what = "the second run was another one";
    }
    return r;
}

Worker::Worker(const RunOptions& first, Next next, bool quiet) : options_(first), next_(std::move(next)) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) throw std::runtime_error(std::string("pipe: ") + std::strerror(errno));
    std::fflush(nullptr);
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
    if (pid_ == 0) {
        close(ends[0]);
        if (quiet) {
            int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
            if (null >= 0) dup2(null, STDERR_FILENO);
        }
        work(ends[1]);
    }
    close(ends[1]);
    fd_ = ends[0];
}

Worker::~Worker() {
    if (fd_ >= 0) close(fd_);
    if (pid_ < 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

void Worker::work(int to) {
    watch_this_process();
    for (RunOptions run = options_;;) {
        std::string bytes = encode(run_here(run, run.seed % 20 == 0));
        std::string head;
        put(head, bytes.size());
        write_all(to, head + bytes);
        std::optional<uint64_t> seed = next_(run.seed);
        if (!seed) _exit(0);
        run.seed = *seed;
    }
}

bool Worker::read(std::vector<Report>& reports) {
    char buffer[65536];
    ssize_t n = ::read(fd_, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) return true;
    if (n <= 0) {
        int status = 0;
        waitpid(std::exchange(pid_, -1), &status, 0);
        if (!done_) {
            Report r;
            r.seed = options_.seed;
            r.outcome = Outcome::crash;
            r.what = WIFSIGNALED(status) ? "ended by signal " + std::to_string(WTERMSIG(status))
                                         : "ended with exit code " + std::to_string(WEXITSTATUS(status));
            r.counts.runs = 1;
            reports.push_back(std::move(r));
        }
        return false;
    }
    input_.append(buffer, size_t(n));
    for (uint64_t size = 0; input_.size() >= sizeof size;) {
        std::memcpy(&size, input_.data(), sizeof size);
        if (input_.size() - sizeof size < size) break;
        reports.push_back(decode(input_.substr(sizeof size, size)));
        input_.erase(0, sizeof size + size);
        std::optional<uint64_t> seed = next_(reports.back().seed);
        done_ = !seed;
        if (seed) options_.seed = *seed;
    }
    return true;
}

Report run_apart(const RunOptions& options, int64_t limit_us) {
    Worker worker(
        options, [](uint64_t) { return std::optional<uint64_t>(); }, true);
    std::vector<Report> reports;
    for (int64_t until = now_us() + limit_us; reports.empty();) {
        int64_t left_ms = (until - now_us() + 999) / 1'000;
        pollfd wait{worker.fd(), POLLIN, 0};
        if (left_ms <= 0 || poll(&wait, 1, int(left_ms)) == 0) break;
        if (!worker.read(reports)) break;
    }
    if (reports.empty()) {
        reports.emplace_back();
        reports.back().seed = options.seed;
    }
    return reports.back();
}

}  // namespace assent::sim
