noinst_LIBRARIES += src/lib/libassent_client.a
src_lib_libassent_client_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
src_lib_libassent_client_a_SOURCES = \
	src/lib/client.cc src/lib/client.h \
	src/lib/dial.cc src/lib/dial.h \
	src/lib/resolver.cc src/lib/resolver.h

# ---- libassent, the C library. Its interface is include/assent/assent.h and nothing else.
# -version-info CURRENT:REVISION:AGE. A function or field added: CURRENT and AGE up by 1, REVISION 0. One removed or changed:
# CURRENT up, AGE and REVISION 0, and a new node in libassent.versions. Else REVISION up. tests/abi knows what there is.
lib_LTLIBRARIES += src/lib/libassent.la
assentincludedir = $(includedir)/assent
assentinclude_HEADERS = include/assent/assent.h include/assent/assent.hpp
src_lib_libassent_la_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
src_lib_libassent_la_CXXFLAGS = $(AM_CXXFLAGS) -fvisibility=hidden -fvisibility-inlines-hidden
src_lib_libassent_la_LDFLAGS = $(AM_LDFLAGS) -version-info 1:0:0 \
	-Wl,--version-script=$(top_srcdir)/src/lib/libassent.versions
src_lib_libassent_la_LIBADD = $(PROTOBUF_LIBS)
src_lib_libassent_la_SOURCES = \
	src/base/event_fd.cc src/base/event_fd.h \
	src/net/frames.cc src/net/frames.h \
	src/lib/assent.cc \
	src/lib/attached.cc src/lib/attached.h \
	src/lib/events.h \
	src/lib/handle.cc src/lib/handle.h \
	src/lib/reactor.cc src/lib/reactor.h \
	src/lib/requests.cc src/lib/requests.h \
	src/lib/resolver.cc src/lib/resolver.h \
	src/lib/session.cc src/lib/session.h \
	src/lib/snapshots.cc src/lib/snapshots.h \
	src/lib/watches.cc src/lib/watches.h
nodist_src_lib_libassent_la_SOURCES = proto/client.pb.cc proto/client.pb.h
EXTRA_src_lib_libassent_la_DEPENDENCIES = src/lib/libassent.versions
EXTRA_DIST += src/lib/libassent.versions

pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = src/lib/libassent.pc
