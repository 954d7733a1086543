check_PROGRAMS += tests/unit/test_crc32c tests/unit/test_ledger tests/unit/test_ledger_thread

tests_unit_test_crc32c_SOURCES = tests/unit/test_crc32c.cc
tests_unit_test_crc32c_LDADD = src/base/libassent_base.a $(GTEST_LIBS)

tests_unit_test_ledger_SOURCES = \
	tests/unit/ledger_helpers.h \
	tests/unit/test_ledger_crash.cc \
	tests/unit/test_ledger_recovery.cc \
	tests/unit/test_ledger_store.cc
tests_unit_test_ledger_LDADD = \
	src/ledger/libassent_ledger.a src/wire/libassent_wire.a src/base/libassent_base.a \
	$(QB_LIBS) $(PROTOBUF_LIBS) $(GTEST_LIBS)

tests_unit_test_ledger_thread_SOURCES = tests/unit/ledger_helpers.h tests/unit/test_ledger_thread.cc
tests_unit_test_ledger_thread_LDADD = $(tests_unit_test_ledger_LDADD)
