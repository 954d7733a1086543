check_PROGRAMS += tests/unit/test_wire
tests_unit_test_wire_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_unit_test_wire_SOURCES = tests/unit/test_wire.cc
tests_unit_test_wire_LDADD = src/wire/libassent_wire.a src/core/libassent_core.a src/base/libassent_base.a \
	$(PROTOBUF_LIBS) $(QB_LIBS) $(GTEST_LIBS)
