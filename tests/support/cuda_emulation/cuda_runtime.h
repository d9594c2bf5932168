// Stands in for CUDA's header, so that g++ can compile the kernels' own source for tests. It proves their logic, on one core of the host: not their speed, and not
// what only a GPU's memory does.
//
// A kernel's threads are fibers: each runs by itself until it comes to a barrier or an exchange with its warp, and goes on when all that must come are there. Blocks
// run one after the other. In which order threads and blocks run is chosen by a seed, so that a kernel which leans on an order gives itself away. A block whose
// threads wait for each other in vain ends the process.
//
// Memory of the device is memory of the host, filled with bytes that are no numbers, each piece on its own, so that AddressSanitizer sees every step outside. With
// ThreadSanitizer each fiber is a thread to it, and nothing but barriers and launches orders one after another: it finds what races. Blocks share their shared
// memory here, one after the other, so races between blocks are looked for apart from those inside them (`has_ordered_blocks`).
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

using std::isfinite;
using std::max;
using std::min;

#define __host__
#define __device__
#define __global__
#define __shared__ static
#define __launch_bounds__(...)

struct dim3 {
    dim3(unsigned x_ = 1) : x(x_) {}
    unsigned x, y = 1, z = 1;
};

// Where the running thread is.
inline dim3 blockIdx, threadIdx;

namespace emulation {

constexpr int kWarp = 32;
constexpr int kMostThreads = 1024;
constexpr size_t kStack = 64 << 10;

// Leaves a stack for another: what the other saved when it was left, or what `Fiber::prepare` put there.
extern "C" void praxiscope_switch_stack(void** left, void* taken);
asm(R"(
    .text
    .type praxiscope_switch_stack, @function
praxiscope_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size praxiscope_switch_stack, .-praxiscope_switch_stack
)");

enum class Wait { kNothing, kBlock, kWarp, kEnd };

struct Fiber {
    char* stack = nullptr;
    void* place = nullptr;
    Wait wait = Wait::kNothing;
    int64_t turn = 0;
#ifdef __SANITIZE_THREAD__
    void* seen = nullptr;
#endif
};

// A meeting place; a count and the lanes' exchanged values travel with it. Two sets of values, since one thread may be an exchange ahead of another.
struct Barrier {
    int size = 0, arrived = 0, count = 0, result = 0;
    int64_t turn = 0;
    char token = 0;  // what ThreadSanitizer is told of
};

struct State {
    std::mutex one_at_a_time;
    char* stacks = nullptr;
    Fiber fibers[kMostThreads];
    Barrier warps[kMostThreads / kWarp];
    uint32_t values[2][kMostThreads];
    Barrier block;
    void* scheduler = nullptr;
    int running = 0;
    void (*entry)(void*) = nullptr;
    void* work = nullptr;
    uint64_t seed = 0;
    bool has_ordered_blocks = true;
    int device_count = 1;
    int64_t pieces_left = INT64_MAX, live_bytes = 0;
    char launched = 0, done = 0;
#ifdef __SANITIZE_THREAD__
    void* host = nullptr;
#endif
#ifdef __SANITIZE_ADDRESS__
    const void* host_stack = nullptr;
    size_t host_size = 0;
#endif
};
inline State state;

#ifdef __SANITIZE_THREAD__
inline void give(void* token) { __tsan_release(token); }
inline void take(void* token) { __tsan_acquire(token); }
#else
inline void give(void*) {}
inline void take(void*) {}
#endif

#define EMULATION_UNSEEN __attribute__((no_sanitize("thread"), noinline))

EMULATION_UNSEEN inline void leave() {
    Fiber& fiber = state.fibers[state.running];
#ifdef __SANITIZE_ADDRESS__
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(fiber.wait == Wait::kEnd ? nullptr : &fake, state.host_stack, state.host_size);
#endif
#ifdef __SANITIZE_THREAD__
    __tsan_switch_to_fiber(state.host, __tsan_switch_to_fiber_no_sync);
#endif
    praxiscope_switch_stack(&fiber.place, state.scheduler);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(fake, &state.host_stack, &state.host_size);
#endif
}

EMULATION_UNSEEN inline void enter(int i) {
    Fiber& fiber = state.fibers[i];
    state.running = i;
    fiber.wait = Wait::kNothing;
    threadIdx.x = static_cast<unsigned>(i);
#ifdef __SANITIZE_ADDRESS__
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, fiber.stack, kStack);
#endif
#ifdef __SANITIZE_THREAD__
    __tsan_switch_to_fiber(fiber.seen, __tsan_switch_to_fiber_no_sync);
#endif
    praxiscope_switch_stack(&state.scheduler, fiber.place);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

EMULATION_UNSEEN inline void begin_fiber() {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(nullptr, &state.host_stack, &state.host_size);
#endif
    take(&state.launched);
    state.entry(state.work);
    give(&state.done);
    state.fibers[state.running].wait = Wait::kEnd;
    leave();
    std::abort();
}

// Stacks for all fibers: the same for every block, but where ThreadSanitizer is to see blocks that nothing orders; mapped anew, they are new to it.
EMULATION_UNSEEN inline void map_stacks(int thread_count) {
    const bool is_first = state.stacks == nullptr;
    if (!is_first && state.has_ordered_blocks) return;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (is_first ? 0 : MAP_FIXED);
    void* mapped = mmap(state.stacks, kStack * static_cast<size_t>(is_first ? kMostThreads : thread_count), PROT_READ | PROT_WRITE, flags, -1, 0);
    if (mapped == MAP_FAILED) std::abort();
    state.stacks = static_cast<char*>(mapped);
    give(&state.launched);
}

// A fiber that goes on for the next block is one thread to ThreadSanitizer; where nothing is to order blocks, each block has threads of its own.
EMULATION_UNSEEN inline void prepare(Fiber& fiber) {
    fiber.stack = state.stacks + kStack * static_cast<size_t>(&fiber - state.fibers);
    void** top = reinterpret_cast<void**>(fiber.stack + kStack);
    top[-1] = nullptr;  // where the first function would return to
    top[-2] = reinterpret_cast<void*>(&begin_fiber);
    for (int i = 3; i <= 8; ++i) top[-i] = nullptr;
    fiber.place = top - 8;
    fiber.wait = Wait::kNothing;
    fiber.turn = 0;
#ifdef __SANITIZE_THREAD__
    if (fiber.seen != nullptr && state.has_ordered_blocks) return;
    if (fiber.seen != nullptr) __tsan_destroy_fiber(fiber.seen);
    fiber.seen = __tsan_create_fiber(0);
#endif
}

// Waits until all of a barrier's threads have come; returns the sum of what they brought. `orders` says whether what was written before is seen after.
EMULATION_UNSEEN inline int meet(Barrier& barrier, Wait wait, int brought, bool orders) {
    Fiber& fiber = state.fibers[state.running];
    if (orders) give(&barrier.token);
    barrier.count += brought;
    const int64_t turn = barrier.turn;
    if (++barrier.arrived == barrier.size) {
        barrier.arrived = 0;
        barrier.result = barrier.count;
        barrier.count = 0;
        ++barrier.turn;
    } else {
        fiber.wait = wait;
        fiber.turn = turn;
        leave();
    }
    if (orders) take(&barrier.token);
    return barrier.result;
}

EMULATION_UNSEEN inline uint32_t exchange(uint32_t value, int other) {
    const int i = state.running;
    Barrier& warp = state.warps[i / kWarp];
    uint32_t* values = state.values[warp.turn % 2];
    values[i] = value;
    meet(warp, Wait::kWarp, 0, false);
    return values[i / kWarp * kWarp + other];
}

EMULATION_UNSEEN inline bool may_go_on(const Fiber& fiber, int i) {
    if (fiber.wait == Wait::kBlock) return state.block.turn != fiber.turn;
    if (fiber.wait == Wait::kWarp) return state.warps[i / kWarp].turn != fiber.turn;
    return fiber.wait == Wait::kNothing;
}

EMULATION_UNSEEN inline void run_block(const std::vector<int>& order) {
    const int count = static_cast<int>(order.size());
    state.block = Barrier{};
    state.block.size = count;
    for (int i = 0; i < count / kWarp; ++i) {
        state.warps[i] = Barrier{};
        state.warps[i].size = kWarp;
    }
    map_stacks(count);
    for (int i = 0; i < count; ++i) prepare(state.fibers[i]);
    for (int ended = 0; ended < count;) {
        bool has_moved = false;
        for (int i : order) {
            if (!may_go_on(state.fibers[i], i)) continue;
            has_moved = true;
            enter(i);
            ended += state.fibers[i].wait == Wait::kEnd;
        }
        if (!has_moved) {
            std::fprintf(stderr, "emulation: threads of block %u wait for others that do not come\n", blockIdx.x);
            std::abort();
        }
    }
}

EMULATION_UNSEEN inline std::vector<int> order_of(int count, std::mt19937_64& random) {
    std::vector<int> order(count);
    std::iota(order.begin(), order.end(), 0);
    if (state.seed != 0) std::shuffle(order.begin(), order.end(), random);
    return order;
}

template <typename Work>
EMULATION_UNSEEN void launch(int block_count, int thread_count, Work& work) {
    const std::lock_guard<std::mutex> lock(state.one_at_a_time);
    std::mt19937_64 random(state.seed);
    state.entry = [](void* given) { (*static_cast<Work*>(given))(); };
    state.work = &work;
#ifdef __SANITIZE_THREAD__
    state.host = __tsan_get_current_fiber();
#endif
    give(&state.launched);
    for (int i_block : order_of(block_count, random)) {
        blockIdx.x = static_cast<unsigned>(i_block);
        run_block(order_of(thread_count, random));
        if (!state.has_ordered_blocks) continue;
        take(&state.done);
        give(&state.launched);
    }
    take(&state.done);
}

}  // namespace emulation

#ifdef EMULATION_UNORDERED  // barriers that hold nobody's writes back: what races must then be found
constexpr bool kBarriersOrder = false;
#else
constexpr bool kBarriersOrder = true;
#endif

inline void __syncthreads() { emulation::meet(emulation::state.block, emulation::Wait::kBlock, 0, kBarriersOrder); }
inline int __syncthreads_count(int is_counted) {
    return emulation::meet(emulation::state.block, emulation::Wait::kBlock, is_counted != 0, kBarriersOrder);
}
inline float __shfl_xor_sync(unsigned, float value, int mask) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    bits = emulation::exchange(bits, static_cast<int>(threadIdx.x) % emulation::kWarp ^ mask);
    std::memcpy(&value, &bits, 4);
    return value;
}
inline int __any_sync(unsigned, int is_so) {
    return emulation::meet(emulation::state.warps[emulation::state.running / emulation::kWarp], emulation::Wait::kWarp, is_so != 0, false) != 0;
}
EMULATION_UNSEEN inline unsigned long long atomicAdd(unsigned long long* to, unsigned long long value) { return std::exchange(*to, *to + value); }

inline int __float_as_int(float value) {
    int bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}
inline float __int_as_float(int bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2, cudaErrorNoDevice = 100, cudaErrorInvalidDevice = 101 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
enum { cudaStreamNonBlocking = 1, cudaMemAllocationTypePinned = 1, cudaMemLocationTypeDevice = 1, cudaMemPoolAttrReleaseThreshold = 4 };
typedef struct EmulatedStream* cudaStream_t;
typedef struct EmulatedPool* cudaMemPool_t;
struct cudaMemPoolProps {
    int allocType;
    struct {
        int type, id;
    } location;
};
struct cudaDeviceProp {
    char name[256];
    int major, minor;
};
struct cudaFuncAttributes {};
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
};

inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t code) {
    return code == cudaErrorMemoryAllocation ? "out of memory" : code == cudaErrorNoDevice ? "no CUDA-capable device is detected" : "invalid argument";
}
inline cudaError_t cudaGetDeviceCount(int* count) {
    *count = emulation::state.device_count;
    return *count == 0 ? cudaErrorNoDevice : cudaSuccess;
}
inline cudaError_t cudaSetDevice(int i) { return i == 0 ? cudaSuccess : cudaErrorInvalidDevice; }
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
    std::strcpy(properties->name, "no GPU: emulated for tests");
    properties->major = properties->minor = 0;
    return cudaSuccess;
}
inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes*, const void*) { return cudaSuccess; }
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, int) {
    *stream = nullptr;
    return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps*) {
    *pool = nullptr;
    return cudaSuccess;
}
inline cudaError_t cudaMemPoolDestroy(cudaMemPool_t) { return cudaSuccess; }
inline cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, int, void*) { return cudaSuccess; }

// A piece of memory knows its size, in front of it.
constexpr size_t kFront = 64;
inline cudaError_t cudaMallocFromPoolAsync(void** memory, size_t size, cudaMemPool_t, cudaStream_t) {
    const std::lock_guard<std::mutex> lock(emulation::state.one_at_a_time);
    if (size == 0) return cudaErrorInvalidValue;
    if (emulation::state.pieces_left == 0) return cudaErrorMemoryAllocation;
    --emulation::state.pieces_left;
    char* front = static_cast<char*>(std::malloc(kFront + size));
    if (front == nullptr) return cudaErrorMemoryAllocation;
    std::memcpy(front, &size, sizeof size);
    std::memset(front + kFront, 0xff, size);
    emulation::state.live_bytes += static_cast<int64_t>(size);
    *memory = front + kFront;
    return cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* memory, cudaStream_t) {
    const std::lock_guard<std::mutex> lock(emulation::state.one_at_a_time);
    char* front = static_cast<char*>(memory) - kFront;
    size_t size;
    std::memcpy(&size, front, sizeof size);
    emulation::state.live_bytes -= static_cast<int64_t>(size);
    std::free(front);
    return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind, cudaStream_t) {
    std::memcpy(to, from, size);
    return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, size_t size, cudaStream_t) {
    std::memset(to, value, size);
    return cudaSuccess;
}
template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* configuration, void (*kernel)(Parameters...), Arguments... arguments) {
    const int block_count = static_cast<int>(configuration->gridDim.x), thread_count = static_cast<int>(configuration->blockDim.x);
    if (block_count == 0 || thread_count % emulation::kWarp != 0 || thread_count > emulation::kMostThreads) return cudaErrorInvalidValue;
    auto work = [&] { kernel(arguments...); };
    emulation::launch(block_count, thread_count, work);
    return cudaSuccess;
}

// What tests may set: the order of threads (0: as they are numbered), how many devices there are, how many pieces of memory are still to be had.
extern "C" {
void emulation_set_order(uint64_t seed);
void emulation_set_device_count(int count);
void emulation_set_pieces(int64_t count);
int64_t emulation_live_bytes();
}
