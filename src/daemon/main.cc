// assentd: options, the configuration test, and the run.
#include <getopt.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/log.h"
#include "daemon/daemon.h"
#include "version.h"

namespace assent {
namespace {

struct Arguments {
    DaemonOptions daemon;
    std::string conf = "/etc/corosync/corosync.conf";
    int log_level = LOG_INFO;
    bool foreground = false;
    bool test = false;
};

constexpr const char* kUsage =
    "usage: assentd [-f] [--state-dir DIR] [--run-dir DIR] [--log-level LEVEL]\n"
    "       assentd -t [-c FILE]\n"
    "  -f, --foreground     stay in the foreground, log to standard error too\n"
    "  -t, --test           test the section assent of the configuration, and end\n"
    "  -c, --conf FILE      corosync.conf for -t (/etc/corosync/corosync.conf)\n"
    "      --state-dir DIR  ledgers and data (/var/lib/assent)\n"
    "      --run-dir DIR    the socket assentd.sock (/run/assent)\n"
    "      --log-level L    error, warning, notice, info (default) or debug\n"
    "  -V, --version        the version\n"
    "  -h, --help           this text\n";

Arguments parse_arguments(int argc, char** argv) {
    Arguments a;
    enum { state_dir = 256, run_dir, log_level };
    static const option longs[] = {{"foreground", no_argument, nullptr, 'f'},
                                   {"test", no_argument, nullptr, 't'},
                                   {"conf", required_argument, nullptr, 'c'},
                                   {"state-dir", required_argument, nullptr, state_dir},
                                   {"run-dir", required_argument, nullptr, run_dir},
                                   {"log-level", required_argument, nullptr, log_level},
                                   {"version", no_argument, nullptr, 'V'},
                                   {"help", no_argument, nullptr, 'h'},
                                   {nullptr, 0, nullptr, 0}};
    int c = 0;
    while ((c = getopt_long(argc, argv, "ftc:Vh", longs, nullptr)) != -1) {
        switch (c) {
            case 'f': a.foreground = true; break;
            case 't': a.test = true; break;
            case 'c': a.conf = optarg; break;
            case state_dir: a.daemon.state_dir = optarg; break;
            case run_dir: a.daemon.run_dir = optarg; break;
            case log_level:
                a.log_level = log_level_by_name(optarg);
                if (a.log_level < 0)
                    throw Failure(std::string("no log level '") + optarg + "'; see assentd --help", 64);
                break;
            case 'V': std::printf("assentd %s\n", ASSENT_VERSION); std::exit(0);
            case 'h': std::fputs(kUsage, stdout); std::exit(0);
            default: throw Failure("see assentd --help", 64);
        }
    }
    if (optind < argc) throw Failure(std::string("unexpected argument '") + argv[optind] + "'; see assentd --help", 64);
    return a;
}

int test_configuration(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw Failure("cannot read " + path + ": " + std::strerror(errno), 78);
    std::stringstream text;
    text << file.rdbuf();
    DaemonConfig config = parse_config(parse_corosync_conf(text.str()));
    for (const std::string& w : config.warnings) std::fprintf(stderr, "assentd: warning: %s\n", w.c_str());
    std::string groups;
    for (const GroupConfig& g : config.groups) groups += " " + g.name;
    std::printf("%s: the section assent is fine; groups:%s\n", path.c_str(), groups.c_str());
    return 0;
}

int run(int argc, char** argv) {
    Arguments a = parse_arguments(argc, argv);
    if (a.test) return test_configuration(a.conf);
    umask(0027);
    signal(SIGPIPE, SIG_IGN);
    if (!a.foreground && daemon(0, 0) != 0) {
        throw Failure(std::string("cannot go to the background: ") + std::strerror(errno));
    }
    LogOptions log;
    log.foreground = a.foreground;
    log.level = a.log_level;
    log_open(log);
    ASSENT_NOTICE("assentd %s starts", ASSENT_VERSION);
    try {
        Daemon(a.daemon).run();
    } catch (const Failure& failure) {
        ASSENT_ERROR("%s", failure.what());
        log_close();
        throw;
    }
    ASSENT_NOTICE("assentd ends");
    log_close();
    return 0;
}

}  // namespace
}  // namespace assent

int main(int argc, char** argv) {
    try {
        return assent::run(argc, argv);
    } catch (const assent::Failure& failure) {
        std::fprintf(stderr, "assentd: %s\n", failure.what());
        return failure.exit_code();
    } catch (const std::exception& e) {
        std::fprintf(stderr, "assentd: %s; this is a fault of assentd\n", e.what());
        return 1;
    }
}
