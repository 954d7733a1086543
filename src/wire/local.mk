noinst_LIBRARIES += src/wire/libassent_wire.a
src_wire_libassent_wire_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
src_wire_libassent_wire_a_SOURCES = \
	src/wire/entry_codec.cc src/wire/entry_codec.h \
	src/wire/entry_head.h \
	src/wire/message_codec.cc src/wire/message_codec.h \
	src/wire/message_fields.cc src/wire/message_fields.h \
	src/wire/scan.cc src/wire/scan.h
nodist_src_wire_libassent_wire_a_SOURCES = \
	proto/client.pb.cc proto/client.pb.h \
	proto/entry.pb.cc proto/entry.pb.h \
	proto/kv.pb.cc proto/kv.pb.h \
	proto/peer.pb.cc proto/peer.pb.h
