# Placeholder: replaced by the owner of this folder. What the Makefile wants of it:
#   sim_program = tests/sim/assent-sim
#   EXTRA_PROGRAMS += $(sim_program)          (not check_PROGRAMS: those are run without arguments)
