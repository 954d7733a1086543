check_PROGRAMS += tests/unit/test_core
tests_unit_test_core_SOURCES = \
	tests/unit/test_core_cancel.cc \
	tests/unit/test_core_clients.cc \
	tests/unit/test_core_quorum.cc \
	tests/unit/test_core_replica.cc \
	tests/unit/replica_bench.h
tests_unit_test_core_LDADD = src/core/libassent_core.a $(GTEST_LIBS)
