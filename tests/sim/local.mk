# Simulated clusters: `make check-sim SEEDS=2000 START=1 JOBS=2`, or SEED=N for one run. Without arguments (make check) it does 100, or 20 with a sanitizer.
SEEDS = 1000
SEED =
START = 1
JOBS = $(shell nproc 2>/dev/null || echo 1)
SIM_FLAGS = $(if $(SEED),--seed $(SEED) --trace,--seeds $(SEEDS) --start $(START) --jobs $(JOBS))
sim_program = tests/sim/sim

# Core, wire and ledger once more, with the planted faults (src/core/planted.h).
check_LIBRARIES = tests/sim/libplanted.a tests/sim/libsim.a
tests_sim_libplanted_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUF_CFLAGS) -DASSENT_PLANTED
tests_sim_libplanted_a_SOURCES = \
	$(src_core_libassent_core_a_SOURCES) \
	$(src_ledger_libassent_ledger_a_SOURCES)

# corosync's adapter as far as it is pure: the simulator's model of CPG works on it.
sim_world = \
	src/corosync/outbox.cc src/corosync/outbox.h src/corosync/status.h \
	src/corosync/view.cc src/corosync/view.h \
	tests/sim/app.cc tests/sim/app.h \
	tests/sim/checks.cc tests/sim/checks.h \
	tests/sim/cpg.cc tests/sim/cpg.h \
	tests/sim/disk.cc tests/sim/disk.h \
	tests/sim/disk_faults.cc tests/sim/disk_faults.h \
	tests/sim/memory_store.cc tests/sim/memory_store.h \
	tests/sim/node.cc tests/sim/node.h \
	tests/sim/random.h tests/sim/schedule.h \
	tests/sim/side.cc tests/sim/side.h \
	tests/sim/world.cc tests/sim/world.h

# The very kv application of the daemon, over memory_store.
sim_world_libs = src/app/libassent_kvmachine.a src/app/libassent_kvrequests.a \
	src/wire/libassent_wire.a src/base/libassent_base.a $(PROTOBUF_LIBS)

check_PROGRAMS += $(sim_program)
sim_runner = \
	tests/sim/apart.cc tests/sim/apart.h \
	tests/sim/campaign.cc tests/sim/campaign.h \
	tests/sim/clients.cc tests/sim/clients.h \
	tests/sim/mutants.cc tests/sim/mutants.h \
	tests/sim/nemesis.cc tests/sim/nemesis.h \
	tests/sim/options.cc tests/sim/options.h \
	tests/sim/rare.cc tests/sim/rare.h \
	tests/sim/run.cc tests/sim/run.h \
	tests/sim/shrink.cc tests/sim/shrink.h \
	tests/sim/strike.cc tests/sim/strike.h
tests_sim_libsim_a_CPPFLAGS = $(AM_CPPFLAGS) -DASSENT_PLANTED
tests_sim_libsim_a_SOURCES = $(sim_world) $(sim_runner)
tests_sim_sim_SOURCES = tests/sim/main.cc
tests_sim_sim_CPPFLAGS = $(AM_CPPFLAGS) -DASSENT_PLANTED
sim_libraries = tests/sim/libsim.a tests/sim/libplanted.a tests/lincheck/liblincheck.a $(sim_world_libs)
tests_sim_sim_LDADD = $(sim_libraries)

check_PROGRAMS += tests/sim/test_disk
tests_sim_test_disk_SOURCES = tests/sim/test_disk.cc tests/sim/disk.cc tests/sim/disk.h tests/sim/random.h tests/sim/schedule.h
tests_sim_test_disk_LDADD = \
	src/core/libassent_core.a src/ledger/libassent_ledger.a src/wire/libassent_wire.a src/base/libassent_base.a \
	$(PROTOBUF_LIBS) $(GTEST_LIBS)

# Golden scenarios; `tests/scenario/scenario_test --rewrite` puts down what happens now, to be read in review.
check_PROGRAMS += tests/scenario/scenario_test
tests_scenario_scenario_test_SOURCES = tests/scenario/runner.cc $(sim_world)
tests_scenario_scenario_test_LDADD = src/core/libassent_core.a src/ledger/libassent_ledger.a $(sim_world_libs)
EXTRA_DIST += \
	tests/scenario/alone.txt \
	tests/scenario/bootstrap.txt \
	tests/scenario/conflict.txt \
	tests/scenario/deposed_master.txt \
	tests/scenario/freshest_ledger.txt \
	tests/scenario/gap.txt \
	tests/scenario/handover.txt \
	tests/scenario/hung_applications.txt \
	tests/scenario/hung_attached.txt \
	tests/scenario/left_and_joined.txt \
	tests/scenario/lost_and_repeated.txt \
	tests/scenario/quorum_first.txt \
	tests/scenario/rejected.txt \
	tests/scenario/rejected_by_one.txt \
	tests/scenario/rejected_handover.txt \
	tests/scenario/restart.txt \
	tests/scenario/view_first.txt
