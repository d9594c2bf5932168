// The emulated library: the kernels' own source behind the stand-ins, and the switches of tests.
#include "../../../libs/worlds/src/praxiscope_worlds/kernels/cuda/splat_cuda.cu"

extern "C" {
void emulation_set_order(uint64_t seed) { emulation::state.seed = seed; }
void emulation_set_device_count(int count) { emulation::state.device_count = count; }
void emulation_set_pieces(int64_t count) { emulation::state.pieces_left = count; }
int64_t emulation_live_bytes() { return emulation::state.live_bytes; }
}
