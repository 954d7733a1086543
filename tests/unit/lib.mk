# libassent, through its C interface.
libassent_test_libs = src/lib/libassent.la src/net/libassent_net.a src/wire/libassent_wire.a src/base/libassent_base.a \
	$(PROTOBUF_LIBS) $(GTEST_LIBS)

check_PROGRAMS += tests/unit/test_libassent_client tests/unit/test_libassent_application
tests_unit_test_libassent_client_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit $(PROTOBUF_CFLAGS)
tests_unit_test_libassent_client_SOURCES = tests/unit/test_libassent_client.cc tests/unit/libassent_support.h
tests_unit_test_libassent_client_LDADD = $(libassent_test_libs)
tests_unit_test_libassent_application_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit $(PROTOBUF_CFLAGS)
tests_unit_test_libassent_application_SOURCES = tests/unit/test_libassent_application.cc tests/unit/libassent_support.h
tests_unit_test_libassent_application_LDADD = $(libassent_test_libs)
