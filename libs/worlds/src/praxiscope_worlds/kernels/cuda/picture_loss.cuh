// How far a drawn picture is from the wanted one, and the gradient of that; the CPU's `picture_loss.cpp`, a thread for each number of the picture.
//
// Source: Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004.
#pragma once

#include "device.cuh"

namespace splat {

constexpr int kReach = 5, kTaps = 2 * kReach + 1;
// Blurred on the way there (x, y, x x + y y, x y), and on the way back (slopes by x, by the squares, by x y).
constexpr int kThere = 4, kBack = 3;

// [3, H, W] numbers, and the window's weights.
struct LossShape {
    int32_t width, height;
    int64_t count;
    float ssim_share;
    float taps[kTaps];
};

__device__ inline int column_of(const LossShape& shape, int64_t i) { return static_cast<int>(i % shape.width); }
__device__ inline int row_of(const LossShape& shape, int64_t i) { return static_cast<int>(i / shape.width % shape.height); }

// Blurs a field at one place down its column; outside of the picture are zeros.
__device__ inline float blur_down(const LossShape& shape, const float* field, int64_t i, int row) {
    float sum = 0.0f;
    for (int step = max(-kReach, -row); step <= min(kReach, shape.height - 1 - row); ++step)
        sum = fmaf(shape.taps[step + kReach], field[i + int64_t{step} * shape.width], sum);
    return sum;
}

// Adds a number of each thread over the block; thread 0 gets the sum, the others 0. Always in the same order.
__device__ inline double sum_block(double value, double* shared) {
    const int thread = static_cast<int>(threadIdx.x);
    __syncthreads();
    shared[thread] = value;
    for (int half = kBlockSize / 2; half >= 1; half /= 2) {
        __syncthreads();
        if (thread < half) shared[thread] += shared[thread + half];
    }
    return thread == 0 ? shared[0] : 0.0;  // the others would read while it adds
}

// `fields` [4, 3 H W]: blurred along the rows.
__global__ void __launch_bounds__(kBlockSize) blur_pictures(LossShape shape, const float* drawn, const float* wanted, float* fields) {
    const int64_t i = thread_index();
    if (i >= shape.count) return;
    const int column = column_of(shape, i);
    float sums[kThere] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int step = max(-kReach, -column); step <= min(kReach, shape.width - 1 - column); ++step) {
        const float tap = shape.taps[step + kReach], x = drawn[i + step], y = wanted[i + step];
        sums[0] = fmaf(tap, x, sums[0]);
        sums[1] = fmaf(tap, y, sums[1]);
        sums[2] = fmaf(tap, x * x + y * y, sums[2]);
        sums[3] = fmaf(tap, x * y, sums[3]);
    }
    for (int field = 0; field < kThere; ++field) fields[field * shape.count + i] = sums[field];
}

// `slopes` [3, 3 H W] of the similarity by the blurred fields; `parts` [blocks, 2]: sums of the absolute difference and of the similarity.
__global__ void __launch_bounds__(kBlockSize)
compare_blurred(LossShape shape, const float* drawn, const float* wanted, const float* fields, float* slopes, double* parts) {
    constexpr float kC1 = 0.01f * 0.01f, kC2 = 0.03f * 0.03f;
    __shared__ double shared[kBlockSize];
    const int64_t i = thread_index();
    double absolute = 0.0, similar = 0.0;
    if (i < shape.count) {
        const int row = row_of(shape, i);
        float blurred[kThere];
        for (int field = 0; field < kThere; ++field) blurred[field] = blur_down(shape, fields + field * shape.count, i, row);
        const float mx = blurred[0], my = blurred[1];
        const float n1 = 2.0f * mx * my + kC1, n2 = 2.0f * (blurred[3] - mx * my) + kC2;
        const float d1 = mx * mx + my * my + kC1, d2 = blurred[2] - (mx * mx + my * my) + kC2;
        const float inverse = 1.0f / (d1 * d2), similarity = n1 * n2 * inverse;
        const float inverse_d2 = d1 * inverse, inverse_d1 = d2 * inverse;
        const float by_xy = 2.0f * n1 * inverse, by_xx = -similarity * inverse_d2;
        slopes[i] = 2.0f * my * n2 * inverse - 2.0f * mx * similarity * inverse_d1 - my * by_xy - 2.0f * mx * by_xx;
        slopes[shape.count + i] = by_xx;
        slopes[2 * shape.count + i] = by_xy;
        absolute = fabsf(drawn[i] - wanted[i]);
        similar = similarity;
    }
    const double absolute_sum = sum_block(absolute, shared), similar_sum = sum_block(similar, shared);
    if (threadIdx.x != 0) return;
    parts[2 * int64_t{blockIdx.x}] = absolute_sum;
    parts[2 * int64_t{blockIdx.x} + 1] = similar_sum;
}

// The window is symmetric, so going back is blurring again: along the rows, …
__global__ void __launch_bounds__(kBlockSize) blur_slopes(LossShape shape, const float* slopes, float* fields) {
    const int64_t i = thread_index();
    if (i >= shape.count) return;
    const int column = column_of(shape, i);
    for (int field = 0; field < kBack; ++field) {
        const float* from = slopes + field * shape.count + i;
        float sum = 0.0f;
        for (int step = max(-kReach, -column); step <= min(kReach, shape.width - 1 - column); ++step)
            sum = fmaf(shape.taps[step + kReach], from[step], sum);
        fields[field * shape.count + i] = sum;
    }
}

// … and down the columns.
__global__ void __launch_bounds__(kBlockSize) find_loss_gradient(LossShape shape, const float* drawn, const float* wanted, const float* fields, float* gradient) {
    const int64_t i = thread_index();
    if (i >= shape.count) return;
    const int row = row_of(shape, i);
    float slopes[kBack];
    for (int field = 0; field < kBack; ++field) slopes[field] = blur_down(shape, fields + field * shape.count, i, row);
    const float x = drawn[i], y = wanted[i];
    const float sign = static_cast<float>(x > y) - static_cast<float>(x < y);
    const float similarity = slopes[0] + 2.0f * x * slopes[1] + y * slopes[2];
    gradient[i] = ((1.0f - shape.ssim_share) * sign - shape.ssim_share * similarity) / static_cast<float>(shape.count);
}

}  // namespace splat
