# The load programs of the cluster tests.
noinst_PROGRAMS += tests/cluster/assent-test-writer
tests_cluster_assent_test_writer_SOURCES = tests/cluster/session.h tests/cluster/writer.cc
tests_cluster_assent_test_writer_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_cluster_assent_test_writer_LDADD = src/wire/libassent_wire.a $(PROTOBUF_LIBS)

noinst_PROGRAMS += tests/cluster/assent-test-history
tests_cluster_assent_test_history_SOURCES = tests/cluster/history.cc tests/cluster/session.h
tests_cluster_assent_test_history_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_cluster_assent_test_history_LDADD = src/app/libassent_kvrequests.a src/wire/libassent_wire.a \
	src/base/libassent_base.a $(PROTOBUF_LIBS) $(QB_LIBS)

# What the nemesis works with: a bad network, a bad disk and bad clocks, and a look into ledgers.
noinst_PROGRAMS += tests/cluster/assent-test-switch
tests_cluster_assent_test_switch_SOURCES = tests/cluster/switch/main.cc \
	tests/cluster/switch/fabric.cc tests/cluster/switch/fabric.h

noinst_PROGRAMS += tests/cluster/assent-test-shim.so
tests_cluster_assent_test_shim_so_SOURCES = tests/cluster/shim/shim.cc tests/cluster/shim/shim.h
tests_cluster_assent_test_shim_so_CXXFLAGS = $(AM_CXXFLAGS) -fPIC
# Not by libtool, which takes -shared of a program for something else.
tests_cluster_assent_test_shim_so_LINK = $(CXX) $(AM_CXXFLAGS) $(CXXFLAGS) $(AM_LDFLAGS) $(LDFLAGS) -shared -o $@

noinst_PROGRAMS += tests/cluster/assent-test-ledger
tests_cluster_assent_test_ledger_SOURCES = tests/cluster/ledger_dump.cc
tests_cluster_assent_test_ledger_LDADD = src/ledger/libassent_ledger.a src/wire/libassent_wire.a \
	src/base/libassent_base.a $(PROTOBUF_LIBS) $(QB_LIBS)

check_PROGRAMS += tests/cluster/test_fabric
tests_cluster_test_fabric_SOURCES = tests/cluster/switch/test_fabric.cc \
	tests/cluster/switch/fabric.cc tests/cluster/switch/fabric.h
tests_cluster_test_fabric_LDADD = $(GTEST_LIBS)

EXTRA_DIST += tests/cluster/bench tests/cluster/demo.py \
	tests/cluster/test_adapters.py \
	tests/cluster/test_attached.py \
	tests/cluster/test_basic.py \
	tests/cluster/test_failover.py \
	tests/cluster/test_hang.py \
	tests/cluster/test_examples.py \
	tests/cluster/test_examples_killed.py \
	tests/cluster/test_input.py \
	tests/cluster/test_kill.py \
	tests/cluster/test_nemesis.py \
	tests/cluster/test_watch.py \
	tests/cluster/nemesis

# An attached application of the cluster tests.
noinst_PROGRAMS += tests/cluster/assent-test-application
tests_cluster_assent_test_application_SOURCES = tests/cluster/application.cc
tests_cluster_assent_test_application_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_cluster_assent_test_application_LDADD = src/wire/libassent_wire.a $(PROTOBUF_LIBS)

# The one that tests/cluster/bench measures with.
noinst_PROGRAMS += tests/cluster/assent-test-bench-application
tests_cluster_assent_test_bench_application_SOURCES = tests/cluster/bench_application.c
tests_cluster_assent_test_bench_application_CFLAGS = -std=c11 -D_GNU_SOURCE -Wall -Wextra $(ASSENT_CFLAGS)
tests_cluster_assent_test_bench_application_LDADD = src/lib/libassent.la
