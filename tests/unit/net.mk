net_test_libs = src/lib/libassent_client.a src/net/libassent_net.a src/wire/libassent_wire.a src/core/libassent_core.a \
	src/base/libassent_base.a $(PROTOBUF_LIBS) $(QB_LIBS) $(GTEST_LIBS)

check_PROGRAMS += tests/unit/test_frames tests/unit/test_links tests/unit/test_client_server tests/unit/test_client
tests_unit_test_frames_SOURCES = tests/unit/test_frames.cc
tests_unit_test_frames_LDADD = $(net_test_libs)
tests_unit_test_links_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit $(PROTOBUF_CFLAGS) $(QB_CFLAGS)
tests_unit_test_links_SOURCES = tests/unit/test_links.cc tests/unit/net_support.h
tests_unit_test_links_LDADD = $(net_test_libs)
tests_unit_test_client_server_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit $(PROTOBUF_CFLAGS) $(QB_CFLAGS)
tests_unit_test_client_server_SOURCES = tests/unit/test_client_server.cc tests/unit/net_support.h
tests_unit_test_client_server_LDADD = $(net_test_libs)
tests_unit_test_client_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit $(PROTOBUF_CFLAGS) $(QB_CFLAGS)
tests_unit_test_client_SOURCES = tests/unit/test_client.cc tests/unit/net_support.h
tests_unit_test_client_LDADD = $(net_test_libs)
