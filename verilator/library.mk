# SPDX-License-Identifier: Apache-2.0
#
# Compiles what Verilator generated, Verilator's run time and the models of this
# folder into one shared library. build.sh calls it with
#   OBJ             folder of the generated code, also for objects
#   MODELS          this folder
#   VERILATOR_ROOT  Verilator's own
#   OUT             the library
# and, for the bench that clocks the same objects without the C interface, the
# target `bare` with BARE, the executable.

include $(OBJ)/Vnic_classes.mk

# Nothing machine-specific: the library may be built on one machine and cached
# for another.
COMMON := -std=c++17 -fPIC -fvisibility=hidden -fno-gnu-unique -pthread \
	-include $(MODELS)/hooks.h -I$(OBJ) -I$(MODELS) \
	-isystem $(VERILATOR_ROOT)/include -isystem $(VERILATOR_ROOT)/include/vltstd \
	-DVL_USER_FATAL -DVL_USER_STOP -DVL_USER_FINISH \
	-DVERILATOR=1 -DVM_COVERAGE=$(VM_COVERAGE) -DVM_SC=0 -DVM_TRACE=$(VM_TRACE) \
	-DVM_TRACE_FST=$(VM_TRACE_FST) -DVM_TRACE_VCD=$(VM_TRACE_VCD)
FAST := -O3
SLOW := -O1
WARN := -Wall -Wextra -Wpedantic -Wshadow -Werror

CORE := sim axi_memory axil_master mac_stream host_memory options wave stimuli peek hooks
API := espalier_sim

FAST_OBJS := $(VM_CLASSES_FAST:%=$(OBJ)/%.o) $(VM_SUPPORT_FAST:%=$(OBJ)/%.o)
SLOW_OBJS := $(VM_CLASSES_SLOW:%=$(OBJ)/%.o) $(VM_SUPPORT_SLOW:%=$(OBJ)/%.o)
RUNTIME_OBJS := $(VM_GLOBAL_FAST:%=$(OBJ)/%.o) $(VM_GLOBAL_SLOW:%=$(OBJ)/%.o)
CORE_OBJS := $(CORE:%=$(OBJ)/model_%.o)
API_OBJS := $(API:%=$(OBJ)/model_%.o)
DESIGN_OBJS := $(FAST_OBJS) $(SLOW_OBJS) $(RUNTIME_OBJS)
LIBS := $(if $(filter 1,$(VM_TRACE)),-lz) -pthread

$(OUT): $(DESIGN_OBJS) $(CORE_OBJS) $(API_OBJS) $(MODELS)/exports.map
	$(CXX) -shared -o $@.new $(filter %.o,$^) -Wl,--version-script=$(MODELS)/exports.map -Wl,-Bsymbolic -Wl,-z,defs $(LIBS)
	mv $@.new $@

bare: $(BARE)

$(BARE): $(DESIGN_OBJS) $(CORE_OBJS) $(OBJ)/bench_bare.o
	$(CXX) -o $@.new $^ $(LIBS)
	mv $@.new $@

$(FAST_OBJS): $(OBJ)/%.o: $(OBJ)/%.cpp
	$(OBJCACHE) $(CXX) $(COMMON) $(FAST) -c -o $@ $<

$(SLOW_OBJS): $(OBJ)/%.o: $(OBJ)/%.cpp
	$(OBJCACHE) $(CXX) $(COMMON) $(SLOW) -c -o $@ $<

$(RUNTIME_OBJS): $(OBJ)/%.o: $(VERILATOR_ROOT)/include/%.cpp
	$(OBJCACHE) $(CXX) $(COMMON) -O2 -c -o $@ $<

$(CORE_OBJS) $(API_OBJS): $(OBJ)/model_%.o: $(MODELS)/%.cpp
	$(OBJCACHE) $(CXX) $(COMMON) $(FAST) $(WARN) -c -o $@ $<

$(OBJ)/bench_bare.o: $(MODELS)/bench_bare.cpp
	$(OBJCACHE) $(CXX) $(COMMON) $(FAST) $(WARN) -c -o $@ $<
