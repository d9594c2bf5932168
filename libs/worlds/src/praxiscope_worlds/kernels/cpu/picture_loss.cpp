// How far a drawn picture is from the wanted one, and the gradient of that: (1 - share) |difference| + share (1 - SSIM), means over pixels and channels.
//
// SSIM's window is a Gaussian, so it is blurred along rows and columns apart; the window is symmetric, so going back is blurring again.
// Source: Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004.
#include <algorithm>
#include <cmath>
#include <vector>

#include "splat.hpp"
#include "team.hpp"
#include "vectors.hpp"

namespace splat {
namespace {

constexpr int kReach = 5, kTaps = 2 * kReach + 1;
// Blurred on the way there (x, y, x x + y y, x y: the squares are only wanted together), and on the way back (slopes by x, by the squares, by x y).
constexpr int kThere = 4, kBack = 3, kFields = kThere + kBack;
constexpr float kC1 = 0.01f * 0.01f, kC2 = 0.03f * 0.03f;

struct Window {
    Window() {
        double total = 0.0, raw[kTaps];
        for (int i = 0; i < kTaps; ++i) total += raw[i] = std::exp(-(i - kReach) * (i - kReach) / (2.0 * 1.5 * 1.5));
        for (int i = 0; i < kTaps; ++i) taps[i] = static_cast<float>(raw[i] / total);
    }
    float taps[kTaps];
};

// A row with zeros around it; what the vectors touch beyond its end is zero as well.
struct PaddedRow {
    explicit PaddedRow(int width) : values(width + 2 * kReach + 2 * kLanes, 0.0f) {}
    float* inner() { return values.data() + kReach; }
    const float* inner() const { return values.data() + kReach; }
    std::vector<float> values;
};

SPLAT_INLINE Floats blur_along(const PaddedRow& row, int x, const Window& window) {
    const float* from = row.values.data() + x;
    Floats sum = window.taps[kReach] * load(from + kReach);
    for (int i = 0; i < kReach; ++i) sum += window.taps[i] * (load(from + i) + load(from + kTaps - 1 - i));
    return sum;
}

// Blurs a plane of rows `stride` apart down its columns, at one row; rows outside are zero.
SPLAT_INLINE Floats blur_down(const float* plane, int64_t stride, int row, int height, int x, const Window& window) {
    Floats sum = {};
    const int first = std::max(0, row - kReach), last = std::min(height - 1, row + kReach);
    for (int r = first; r <= last; ++r) sum += window.taps[r - row + kReach] * load(plane + r * stride + x);
    return sum;
}

}  // namespace

// Planes of the scratch have rows of a whole number of vectors; it holds 7 * 3 * H of them.
extern "C" int64_t splat_loss_scratch_size(int32_t width, int32_t height) {
    const int64_t stride = (width + kLanes - 1) / kLanes * kLanes;
    return kFields * 3 * stride * height;
}

// `drawn`, `wanted`, `gradient`: [3, H, W]. `means`: mean absolute difference, mean SSIM.
extern "C" int32_t splat_loss(int32_t width, int32_t height, int32_t thread_count, float ssim_share, const float* drawn, const float* wanted,
                              float* scratch, float* gradient, double* means) {
    const Window window;
    const int64_t plane = int64_t{width} * height, stride = (width + kLanes - 1) / kLanes * kLanes, wide_plane = stride * height;
    const float per_value = 1.0f / static_cast<float>(3 * plane);
    std::vector<double> absolute(thread_count, 0.0), similar(thread_count, 0.0);
    const bool is_done = Team::run(thread_count, [&](Team& team, int i_thread) {
        int64_t begin, end;
        team.share(3 * int64_t{height}, 1, i_thread, &begin, &end);
        std::vector<PaddedRow> rows(kThere, PaddedRow(width));
        for (int64_t i_row = begin; i_row < end; ++i_row) {
            const float *x = drawn + i_row * width, *y = wanted + i_row * width;
            for (int i = 0; i < width; ++i) {
                rows[0].inner()[i] = x[i];
                rows[1].inner()[i] = y[i];
                rows[2].inner()[i] = x[i] * x[i] + y[i] * y[i];
                rows[3].inner()[i] = x[i] * y[i];
            }
            for (int field = 0; field < kThere; ++field) {
                float* to = scratch + field * 3 * wide_plane + i_row * stride;
                for (int i = 0; i < width; i += kLanes) store(to + i, blur_along(rows[field], i, window));
            }
        }
        team.wait_for_all();
        // Down the columns, the similarity, its slopes by the three blurred fields that hold x, and these along rows again.
        std::vector<PaddedRow> slopes(kBack, PaddedRow(width));
        for (int64_t i_row = begin; i_row < end; ++i_row) {
            const int row = static_cast<int>(i_row % height);
            const float* top = scratch + i_row / height * wide_plane;
            Floats total = {};
            for (int i = 0; i < width; i += kLanes) {
                Floats blurred[kThere];
                for (int field = 0; field < kThere; ++field) blurred[field] = blur_down(top + field * 3 * wide_plane, stride, row, height, i, window);
                const Floats mx = blurred[0], my = blurred[1];
                const Floats n1 = 2.0f * mx * my + kC1, n2 = 2.0f * (blurred[3] - mx * my) + kC2;
                const Floats d1 = mx * mx + my * my + kC1, d2 = blurred[2] - (mx * mx + my * my) + kC2;
                const Floats inverse = 1.0f / (d1 * d2), similarity = n1 * n2 * inverse;
                const Floats inverse_d2 = d1 * inverse, inverse_d1 = d2 * inverse;
                const Floats by_xy = 2.0f * n1 * inverse, by_xx = -similarity * inverse_d2;
                const Floats by_x = 2.0f * my * n2 * inverse - 2.0f * mx * similarity * inverse_d1 - my * by_xy - 2.0f * mx * by_xx;
                const Floats here = select(less(count_up() + static_cast<float>(i), fill(static_cast<float>(width))), fill(1.0f), Floats{});
                total += similarity * here;
                store(slopes[0].inner() + i, by_x * here);
                store(slopes[1].inner() + i, by_xx * here);
                store(slopes[2].inner() + i, by_xy * here);
            }
            alignas(64) float lanes[kLanes];
            store(lanes, total);
            for (int i = 0; i < kLanes; ++i) similar[i_thread] += lanes[i];
            for (int field = 0; field < kBack; ++field) {
                float* to = scratch + (kThere + field) * 3 * wide_plane + i_row * stride;
                for (int i = 0; i < width; i += kLanes) store(to + i, blur_along(slopes[field], i, window));
            }
        }
        team.wait_for_all();
        std::vector<float> own(kBack * stride);
        const float* fields = scratch + kThere * 3 * wide_plane;
        for (int64_t i_row = begin; i_row < end; ++i_row) {
            const int row = static_cast<int>(i_row % height);
            const float* top = fields + i_row / height * wide_plane;
            for (int field = 0; field < kBack; ++field)
                for (int i = 0; i < width; i += kLanes)
                    store(own.data() + field * stride + i, blur_down(top + field * 3 * wide_plane, stride, row, height, i, window));
            const float *x = drawn + i_row * width, *y = wanted + i_row * width;
            float* to = gradient + i_row * width;
            const float *by_x = own.data(), *by_xx = by_x + stride, *by_xy = by_xx + stride;
            float sum = 0.0f;
            for (int i = 0; i < width; ++i) {
                const float difference = x[i] - y[i];
                sum += std::fabs(difference);
                const float sign = static_cast<float>(difference > 0.0f) - static_cast<float>(difference < 0.0f);
                const float similarity = by_x[i] + 2.0f * x[i] * by_xx[i] + y[i] * by_xy[i];
                to[i] = per_value * ((1.0f - ssim_share) * sign - ssim_share * similarity);
            }
            absolute[i_thread] += sum;
        }
    });
    if (!is_done) return 1;
    means[0] = means[1] = 0.0;
    for (int i = 0; i < thread_count; ++i) {
        means[0] += absolute[i] * per_value;
        means[1] += similar[i] * per_value;
    }
    return 0;
}

}  // namespace splat
