// Adam, a thread for each number. Source: D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
#pragma once

#include "device.cuh"

namespace splat {

struct AdamStep {
    int64_t count;  // numbers
    int32_t width;  // of a row
    float beta1, beta2, epsilon, inverse_root;  // of the second moment's correction
};

// Rows whose byte is 0 keep their values and moments; a null moves all.
__global__ void __launch_bounds__(kBlockSize) move_values(AdamStep step, const float* step_sizes, const uint8_t* is_moved, const float* gradients, float* first,
                                                          float* second, float* values) {
    const int64_t i = thread_index();
    if (i >= step.count || (is_moved != nullptr && is_moved[i / step.width] == 0)) return;
    const float g = gradients[i];
    const float m = first[i] + (1.0f - step.beta1) * (g - first[i]), v = second[i] + (1.0f - step.beta2) * (g * g - second[i]);
    first[i] = m;
    second[i] = v;
    values[i] -= step_sizes[i % step.width] * m / (sqrtf(v) * step.inverse_root + step.epsilon);
}

}  // namespace splat
