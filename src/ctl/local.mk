noinst_LIBRARIES += src/ctl/libassent_ctl.a
src_ctl_libassent_ctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS) $(FMT_CFLAGS)
src_ctl_libassent_ctl_a_SOURCES = \
	src/ctl/commands.cc src/ctl/commands.h \
	src/ctl/daemon_channel.cc src/ctl/daemon_channel.h \
	src/ctl/encoding.cc src/ctl/encoding.h \
	src/ctl/exit_code.h \
	src/ctl/input.cc \
	src/ctl/options.cc src/ctl/options.h \
	src/ctl/output.cc src/ctl/output.h \
	src/ctl/session.cc src/ctl/session.h \
	src/ctl/snapshot.cc src/ctl/snapshot.h \
	src/ctl/snapshot_file.cc src/ctl/snapshot_file.h \
	src/ctl/status_text.cc src/ctl/status_text.h \
	src/ctl/watch.cc src/ctl/watch.h \
	src/version.h

bin_PROGRAMS += src/ctl/assentctl
src_ctl_assentctl_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
src_ctl_assentctl_SOURCES = src/ctl/main.cc
src_ctl_assentctl_LDADD = \
	src/ctl/libassent_ctl.a \
	src/lib/libassent_client.a \
	src/app/libassent_kvrequests.a \
	src/app/libassent_kvmachine.a \
	src/net/libassent_net.a \
	src/wire/libassent_wire.a \
	src/base/libassent_base.a \
	$(PROTOBUF_LIBS) $(FMT_LIBS) $(QB_LIBS)
