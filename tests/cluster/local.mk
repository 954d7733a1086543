# The load program of the cluster tests.
noinst_PROGRAMS += tests/cluster/assent-test-writer
tests_cluster_assent_test_writer_SOURCES = tests/cluster/writer.cc
tests_cluster_assent_test_writer_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_cluster_assent_test_writer_LDADD = src/wire/libassent_wire.a $(PROTOBUF_LIBS)
