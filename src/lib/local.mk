noinst_LIBRARIES += src/lib/libassent_client.a
src_lib_libassent_client_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
src_lib_libassent_client_a_SOURCES = \
	src/lib/client.cc src/lib/client.h \
	src/lib/dial.cc src/lib/dial.h
