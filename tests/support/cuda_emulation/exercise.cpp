// Draws, differentiates, compares and steps, so that a sanitizer sees every kernel at work. Ends with code 1 where a call failed.
//
//     exercise [blocks-apart]     the latter: nothing orders one block after another, for ThreadSanitizer
#include "emulation.cpp"

namespace {

using splat::SplatDevice;
using splat::SplatDrawing;

constexpr int kWidth = 35, kHeight = 21, kPixels = kWidth * kHeight, kCount = 120, kCoefficients = 16;
constexpr int kLossHeight = 7;

void expect(int32_t code) {
    if (code == 0) return;
    std::fprintf(stderr, "a call failed: %s\n", splat::splat_cuda_describe(code));
    std::exit(1);
}

std::vector<float> draw_normal(size_t count, float scale, std::mt19937_64& random) {
    std::normal_distribution<float> normal(0.0f, scale);
    std::vector<float> values(count);
    for (float& value : values) value = normal(random);
    return values;
}

void exercise(SplatDevice* device, bool is_full, std::mt19937_64& random) {
    std::vector<float> means = draw_normal(3 * kCount, 1.0f, random), quaternions = draw_normal(4 * kCount, 1.0f, random);
    std::vector<float> log_scales = draw_normal(3 * kCount, 0.7f, random), logits = draw_normal(kCount, 2.0f, random);
    std::vector<float> sh = draw_normal(3 * kCoefficients * kCount, 0.4f, random);
    for (int i = 0; i < kCount; ++i) means[3 * i + 2] += 4.0f;
    for (float& value : log_scales) value -= 1.5f;
    means[7] = NAN;
    const splat::SplatView view{kWidth,
                                kHeight,
                                36.0f,
                                37.0f,
                                17.0f,
                                11.0f,
                                {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0},
                                {0, 0, 0},
                                {0.1f, 0.4f, 0.9f},
                                0.3f,
                                0.01f,
                                0.99f,
                                is_full,
                                is_full,
                                is_full ? kCoefficients : 4,
                                0};
    const splat::SplatWorld world{kCount, kCoefficients, means.data(), quaternions.data(), log_scales.data(), logits.data(), sh.data()};
    SplatDrawing* drawing;
    int64_t totals[3];
    expect(splat_cuda_prepare(device, &view, &world, &drawing, totals));
    std::vector<float> color(3 * kPixels), alpha(kPixels), depth(kPixels), normals(3 * kPixels);
    const splat::SplatPicture picture{color.data(), alpha.data(), is_full ? depth.data() : nullptr, is_full ? normals.data() : nullptr};
    expect(splat_cuda_draw(drawing, &picture));
    std::vector<float> by_color = draw_normal(3 * kPixels, 1.0f, random), by_alpha = draw_normal(kPixels, 1.0f, random);
    std::vector<float> by_depth = draw_normal(kPixels, 1.0f, random), by_normals = draw_normal(3 * kPixels, 1.0f, random);
    const splat::SplatPicture slopes{by_color.data(), is_full ? by_alpha.data() : nullptr, is_full ? by_depth.data() : nullptr,
                                     is_full ? by_normals.data() : nullptr};
    std::vector<float> d_means(means), d_quaternions(quaternions), d_log_scales(log_scales), d_logits(logits), d_sh(sh), screen(kCount);
    std::vector<uint8_t> seen(kCount);
    const splat::SplatGradients gradients{nullptr,         d_means.data(), d_quaternions.data(), d_log_scales.data(),
                                          d_logits.data(), d_sh.data(),    screen.data()};
    expect(splat_cuda_differentiate(drawing, &slopes, &gradients, seen.data()));
    splat_cuda_forget(drawing);

    double loss[2];
    std::vector<float> by_drawn(3 * kPixels);
    expect(splat_cuda_loss(device, kWidth, kLossHeight, 0.2f, color.data(), by_color.data(), by_drawn.data(), loss));
    std::vector<float> first(3 * kCount), second(3 * kCount);
    const float sizes[3] = {0.1f, 0.2f, 0.3f};
    expect(splat_cuda_adam(device, kCount, 3, sizes, 0.9f, 0.999f, 1e-15f, 0.001f, is_full ? seen.data() : nullptr, d_means.data(), first.data(), second.data(),
                           means.data()));
    std::printf("%lld seen, %lld intersections, %lld unusable; loss %.6f, similarity %.6f\n", static_cast<long long>(totals[0]),
                static_cast<long long>(totals[1]), static_cast<long long>(totals[2]), loss[0], loss[1]);
}

#ifdef EMULATION_UNORDERED  // what looks for races between blocks must find this one
__global__ void write_the_same(int* to) {
    if (threadIdx.x == 0) *to = static_cast<int>(blockIdx.x);
}

constexpr bool kRaces = true;
void race() {
    int written = -1;
    cudaLaunchConfig_t configuration{};
    configuration.gridDim = dim3(4);
    configuration.blockDim = dim3(32);
    cudaLaunchKernelEx(&configuration, write_the_same, &written);
}
#else
constexpr bool kRaces = false;
void race() {}
#endif

}  // namespace

int main(int argument_count, char** arguments) {
    std::mt19937_64 random(1);
    SplatDevice* device;
    char name[256];
    int32_t capability;
    expect(splat::splat_cuda_open(0, &device, name, &capability));
    emulation::state.has_ordered_blocks = argument_count < 2 || std::strcmp(arguments[1], "blocks-apart") != 0;
    race();
    if (emulation::state.has_ordered_blocks && !kRaces) exercise(device, false, random);
    emulation_set_order(1);
    if (emulation::state.has_ordered_blocks || !kRaces) exercise(device, true, random);
    splat::splat_cuda_close(device);
    return emulation_live_bytes() == 0 ? 0 : 1;
}
