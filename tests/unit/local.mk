# One fragment a layer; each adds its programs to check_PROGRAMS.
include tests/unit/base.mk
include tests/unit/core.mk
include tests/unit/wire.mk
include tests/unit/ledger.mk
include tests/unit/corosync.mk
include tests/unit/net.mk
include tests/unit/app.mk
include tests/unit/daemon.mk
include tests/unit/ctl.mk
include tests/unit/sim.mk
include tests/unit/lib.mk

# Those in which threads meet: run with ThreadSanitizer too.
threaded_tests = tests/unit/test_log tests/unit/test_loop tests/unit/test_ledger_thread tests/unit/test_runner tests/unit/test_corosync \
	tests/unit/test_libassent_application tests/unit/test_libassent_client

# With AddressSanitizer: all but those whose compiling takes longest (RocksDB, CLI11, nlohmann-json).
sanitized_tests = $(filter-out tests/unit/test_bench tests/unit/test_ctl tests/regress/test_regress_ctl tests/unit/test_group \
	tests/unit/test_kv,$(check_PROGRAMS))
