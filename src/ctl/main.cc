// assentctl: options, one request, output. The time limit is counted from here.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "ctl/commands.h"
#include "ctl/daemon_channel.h"
#include "ctl/snapshot.h"
#include "ctl/watch.h"

namespace {

using namespace assent::ctl;

// No daemon takes larger frames.
constexpr size_t kMaxInput = 2u << 20;

bool write_all(int fd, const std::string& text) {
    size_t done = 0;
    while (done < text.size()) {
        ssize_t n = ::write(fd, text.data() + done, text.size() - done);
        if (n > 0) {
            done += static_cast<size_t>(n);
        } else if (n < 0 && errno == EAGAIN) {
            pollfd wait{fd, POLLOUT, 0};
            ::poll(&wait, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return false;
        }
    }
    return true;
}

int print(int code, const std::string& out, const std::string& err) {
    bool good = write_all(STDOUT_FILENO, out);
    if (!good) {
        std::string why = std::string("assentctl: standard output: ") + std::strerror(errno) + "\n";
        write_all(STDERR_FILENO, why);
    }
    write_all(STDERR_FILENO, err);
    return !good && code == 0 ? 1 : code;
}

bool wants_colors(const Options& options) {
    if (options.color != Color::automatic) return options.color == Color::always;
    const char* no_color = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    bool dumb = !terminal || std::strcmp(terminal, "dumb") == 0;
    return ::isatty(STDOUT_FILENO) && !dumb && !(no_color && *no_color);
}

bool needs_client_id(Verb verb) {
    return verb == Verb::put || verb == Verb::del || verb == Verb::cas || verb == Verb::write;
}

}  // namespace

int main(int argc, char** argv) {
    TimePoint began = Clock::now();
    // With a standard stream closed, the socket would get its number. What stands in for it gives errors too.
    for (int fd = 0; fd <= 2; fd++) {
        if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) return 1;
    }
    Parsed parsed = parse_options({argv + 1, argv + argc});
    if (!parsed.go_on) {
        bool good = parsed.exit_code == 0;
        return print(parsed.exit_code, good ? parsed.text : "", good ? "" : parsed.text);
    }
    const Options& options = parsed.options;
    TimePoint deadline =
        began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
    if (options.verb == Verb::watch) {
        const Printed printed = run_watch(options, options.seconds_given ? deadline : TimePoint::max(),
                                          [](const std::string& text) { return write_all(STDOUT_FILENO, text); });
        return print(static_cast<int>(printed.code), printed.out, printed.err);
    }
    if (options.verb == Verb::snapshot_save || options.verb == Verb::snapshot_restore ||
        options.verb == Verb::snapshot_inspect) {
        const Printed printed = run_snapshot(options, deadline);
        return print(static_cast<int>(printed.code), printed.out, printed.err);
    }
    DaemonChannel channel(options.socket, needs_client_id(options.verb) ? options.group : "");
    Context context{channel, deadline, wants_colors(options),
                    [deadline] { return read_all(STDIN_FILENO, deadline, kMaxInput); }};
    Printed printed = run(options, context);
    return print(static_cast<int>(printed.code), printed.out, printed.err);
}
