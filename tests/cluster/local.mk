# The load program of the cluster tests.
noinst_PROGRAMS += tests/cluster/assent-test-writer
tests_cluster_assent_test_writer_SOURCES = tests/cluster/writer.cc
tests_cluster_assent_test_writer_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_cluster_assent_test_writer_LDADD = src/wire/libassent_wire.a $(PROTOBUF_LIBS)
EXTRA_DIST += tests/cluster/bench tests/cluster/demo.py \
	tests/cluster/test_adapters.py \
	tests/cluster/test_basic.py \
	tests/cluster/test_failover.py \
	tests/cluster/test_hang.py \
	tests/cluster/test_input.py \
	tests/cluster/test_kill.py
