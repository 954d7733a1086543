noinst_LIBRARIES += src/net/libassent_net.a
src_net_libassent_net_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS) $(QB_CFLAGS)
src_net_libassent_net_a_SOURCES = \
	src/net/address.cc src/net/address.h \
	src/net/client_server.cc src/net/client_server.h \
	src/net/frames.cc src/net/frames.h \
	src/net/links.cc src/net/links.h \
	src/net/listener.cc src/net/listener.h \
	src/net/stream.cc src/net/stream.h
