noinst_LIBRARIES += src/base/libassent_base.a
src_base_libassent_base_a_CPPFLAGS = $(AM_CPPFLAGS) $(QB_CFLAGS)
src_base_libassent_base_a_SOURCES = \
	src/base/clock.cc src/base/clock.h \
	src/base/crc32c.cc src/base/crc32c.h \
	src/base/event_fd.cc src/base/event_fd.h \
	src/base/failure.h \
	src/base/fd.h \
	src/base/log.cc src/base/log.h \
	src/base/loop.cc src/base/loop.h
