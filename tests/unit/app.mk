check_PROGRAMS += tests/unit/test_runner
tests_unit_test_runner_SOURCES = tests/unit/test_runner.cc
tests_unit_test_runner_LDADD = src/app/libassent_app.a src/base/libassent_base.a $(QB_LIBS) $(GTEST_LIBS)

if WITH_ROCKSDB
check_PROGRAMS += tests/unit/test_kv
tests_unit_test_kv_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_unit_test_kv_SOURCES = tests/unit/test_kv.cc
tests_unit_test_kv_LDADD = $(kv_library) src/app/libassent_kvrequests.a src/wire/libassent_wire.a \
	src/base/libassent_base.a $(ROCKSDB_LIBS) $(PROTOBUF_LIBS) $(QB_LIBS) $(GTEST_LIBS)

# Not a test: built and run by hand.
EXTRA_PROGRAMS += tests/unit/bench_kv
tests_unit_bench_kv_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_unit_bench_kv_SOURCES = tests/unit/bench_kv.cc
tests_unit_bench_kv_LDADD = $(kv_library) src/app/libassent_kvrequests.a src/wire/libassent_wire.a \
	src/base/libassent_base.a $(ROCKSDB_LIBS) $(PROTOBUF_LIBS) $(QB_LIBS) $(BENCHMARK_LIBS)
endif

check_PROGRAMS += tests/unit/test_attached
tests_unit_test_attached_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit $(PROTOBUF_CFLAGS) $(QB_CFLAGS)
tests_unit_test_attached_SOURCES = \
	tests/unit/attached_support.h \
	tests/unit/test_attached.cc \
	tests/unit/test_attached_digests.cc \
	tests/unit/test_attached_feed.cc \
	tests/unit/test_attached_snapshots.cc \
	tests/unit/test_attached_wrong.cc
tests_unit_test_attached_LDADD = src/app/libassent_app.a src/wire/libassent_wire.a src/core/libassent_core.a \
	src/base/libassent_base.a $(PROTOBUF_LIBS) $(QB_LIBS) $(GTEST_LIBS)

check_PROGRAMS += tests/unit/test_built_in
tests_unit_test_built_in_CPPFLAGS = $(tests_unit_test_attached_CPPFLAGS)
tests_unit_test_built_in_SOURCES = tests/unit/attached_support.h tests/unit/run_loop.h tests/unit/test_built_in.cc
tests_unit_test_built_in_LDADD = $(tests_unit_test_attached_LDADD)
