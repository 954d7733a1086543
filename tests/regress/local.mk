# One file a fault that was found and mended; each fails without the mend.
check_PROGRAMS += tests/regress/test_regress
tests_regress_test_regress_SOURCES = \
	tests/regress/ballot_older_than_ledger.cc \
	tests/regress/ballot_written_over.cc \
	tests/regress/client_dropped.cc \
	tests/regress/epoch_while_catching_up.cc \
	tests/regress/fetch_circle.cc \
	tests/regress/fetch_from_unmatched.cc \
	tests/regress/founder_crash.cc \
	tests/regress/founds_alone.cc \
	tests/regress/incarnation_overtaken.cc \
	tests/regress/lease_over_a_suspend.cc \
	tests/regress/master_started_again.cc \
	tests/regress/own_proposal_lost.cc \
	tests/regress/tail_full.cc \
	tests/regress/unreadable_ledger.cc \
	tests/regress/vote_named.cc \
	tests/regress/vote_overtaken.cc \
	tests/unit/ledger_helpers.h \
	tests/unit/replica_bench.h
tests_regress_test_regress_LDADD = \
	src/ledger/libassent_ledger.a src/core/libassent_core.a src/wire/libassent_wire.a src/base/libassent_base.a \
	$(QB_LIBS) $(PROTOBUF_LIBS) $(GTEST_LIBS)

# Those of libassent, through its C interface.
check_PROGRAMS += tests/regress/test_regress_lib
tests_regress_test_regress_lib_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_regress_test_regress_lib_SOURCES = tests/regress/snapshot_overlong.cc tests/regress/snapshot_save_aborted.cc \
	tests/unit/libassent_support.h
tests_regress_test_regress_lib_LDADD = $(libassent_test_libs)

# That of assentctl.
check_PROGRAMS += tests/regress/test_regress_ctl
tests_regress_test_regress_ctl_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS)
tests_regress_test_regress_ctl_SOURCES = tests/regress/deep_json.cc
tests_regress_test_regress_ctl_LDADD = $(tests_unit_test_ctl_LDADD)
