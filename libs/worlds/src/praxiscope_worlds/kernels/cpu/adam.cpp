// Adam. Source: D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "team.hpp"

namespace splat {

// Moves [N, width] parameters in place. `steps_size` [width] is the learning rate of each column over the first moment's correction; `is_moved` [N] or null: rows
// whose byte is 0 keep their values and moments.
extern "C" int32_t splat_adam(int64_t count, int32_t width, int32_t thread_count, const float* step_sizes, float beta1, float beta2, float epsilon,
                              float second_correction, const uint8_t* is_moved, const float* gradients, float* first, float* second, float* values) {
    const float inverse_root = 1.0f / std::sqrt(second_correction);
    const bool is_done = Team::run(thread_count, [&](Team& team, int i_thread) {
        int64_t begin, end;
        team.share(count, 16, i_thread, &begin, &end);
        auto move = [&](int64_t from, int64_t to) {  // rows [from, to), as one line of values
            float* __restrict m = first + from * width;
            float* __restrict v = second + from * width;
            float* __restrict p = values + from * width;
            const float* __restrict g = gradients + from * width;
            for (int64_t row = from; row < to; ++row, m += width, v += width, p += width, g += width)
                for (int32_t i = 0; i < width; ++i) {
                    m[i] += (1.0f - beta1) * (g[i] - m[i]);
                    v[i] += (1.0f - beta2) * (g[i] * g[i] - v[i]);
                    p[i] -= step_sizes[i] * m[i] / (std::sqrt(v[i]) * inverse_root + epsilon);
                }
        };
        if (is_moved == nullptr) return move(begin, end);
        for (int64_t row = begin; row < end; ++row)
            if (is_moved[row] != 0) move(row, row + 1);
    });
    return is_done ? 0 : 1;
}

}  // namespace splat
