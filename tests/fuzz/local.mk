# Built by `make fuzz` alone (configure --enable-fuzz CXX=clang++). Each target is one file with LLVMFuzzerTestOneInput.
fuzz_programs = \
	tests/fuzz/fuzz_client \
	tests/fuzz/fuzz_config \
	tests/fuzz/fuzz_entry \
	tests/fuzz/fuzz_ledger \
	tests/fuzz/fuzz_message
if WITH_ROCKSDB
fuzz_programs += tests/fuzz/fuzz_kv
endif
EXTRA_PROGRAMS += $(fuzz_programs)

fuzz_cppflags = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS) $(QB_CFLAGS)
fuzz_ldflags = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_libs = src/wire/libassent_wire.a src/core/libassent_core.a src/base/libassent_base.a $(PROTOBUF_LIBS) $(QB_LIBS)

tests_fuzz_fuzz_client_SOURCES = tests/fuzz/fuzz_client.cc
tests_fuzz_fuzz_client_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_client_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_client_LDADD = src/net/libassent_net.a $(fuzz_libs)

tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.cc
tests_fuzz_fuzz_config_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_config_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_config_LDADD = src/daemon/libassent_daemon.a $(fuzz_libs)

tests_fuzz_fuzz_entry_SOURCES = tests/fuzz/fuzz_entry.cc
tests_fuzz_fuzz_entry_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_entry_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_entry_LDADD = $(fuzz_libs)

tests_fuzz_fuzz_kv_SOURCES = tests/fuzz/fuzz_kv.cc
tests_fuzz_fuzz_kv_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_kv_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_kv_LDADD = $(kv_library) src/app/libassent_kvrequests.a $(fuzz_libs) $(kv_needs)

tests_fuzz_fuzz_ledger_SOURCES = tests/fuzz/fuzz_ledger.cc
tests_fuzz_fuzz_ledger_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_ledger_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_ledger_LDADD = src/ledger/libassent_ledger.a $(fuzz_libs)

tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz_message.cc
tests_fuzz_fuzz_message_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_message_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_message_LDADD = $(fuzz_libs)
