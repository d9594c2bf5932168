// From Gaussians in the world to ellipses in the picture, and gradients back; sixteen Gaussians at a time.
//
// Source: M. Zwicker et al., "EWA Splatting", 2002; B. Kerbl et al., 2023; opacity compensation: Z. Yu et al., "Mip-Splatting", CVPR 2024, eq. 9.
#include <algorithm>
#include <cmath>

#include "splat.hpp"
#include "vectors.hpp"

namespace splat {
namespace {

constexpr float kC0 = 0.28209479177387814f, kC1 = 0.4886025119029199f;
constexpr float kC2[5] = {1.0925484305920792f, -1.0925484305920792f, 0.31539156525252005f, -1.0925484305920792f, 0.5462742152960396f};
constexpr float kC3[7] = {-0.5900435899266435f, 2.890611442640554f,   -0.4570457994644658f, 0.3731763325901154f,
                          -0.4570457994644658f, 1.445305721320277f, -0.5900435899266435f};
// The slope of the perspective is taken at most this share of the picture's size outside of it; further out, EWA's linear picture of it breaks down.
constexpr float kFrameMargin = 0.15f;

constexpr int64_t kAhead = 24;

typedef Floats Vec3[3];

SPLAT_INLINE Floats dot(const Vec3 a, const Vec3 b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

// Rows [first, first + 16) of a table of `width` columns, one vector a column. Rows from `count` on repeat the last.
template <int kWidth>
SPLAT_INLINE void load_rows(const float* table, int64_t first, int64_t count, Floats* columns) {
    alignas(64) float lanes[kWidth][kLanes];
    for (int i_lane = 0; i_lane < kLanes; ++i_lane) {
        const float* row = table + std::min(first + i_lane, count - 1) * kWidth;
        for (int i = 0; i < kWidth; ++i) lanes[i][i_lane] = row[i];
    }
    for (int i = 0; i < kWidth; ++i) columns[i] = load(lanes[i]);
}

template <int kWidth>
SPLAT_INLINE void store_rows(float* table, int64_t first, int64_t count, const Floats* columns) {
    alignas(64) float lanes[kWidth][kLanes];
    for (int i = 0; i < kWidth; ++i) store(lanes[i], columns[i]);
    const int last = static_cast<int>(std::min<int64_t>(kLanes, count - first));
    for (int i_lane = 0; i_lane < last; ++i_lane)
        for (int i = 0; i < kWidth; ++i) table[(first + i_lane) * kWidth + i] = lanes[i][i_lane];
}

// Everything between the parameters and the ellipse that the way back needs too.
struct Geometry {
    Vec3 mean, camera;            // in the world's and the camera's frame
    Vec3 scale;                   // standard deviations
    Floats quaternion[4], inverse_length;
    Vec3 rotation[3];             // world_from_gaussian, rows
    Vec3 spread[3];               // rotation * diag(scale), rows
    Vec3 to_x, to_y;              // slope of the picture's x and y by the world's place
    Vec3 v_x, v_y;                // the same by the Gaussian's own axes in standard deviations
    Floats inverse_z, slope_x, slope_y;  // x / z and y / z, held near the picture
    Mask is_x_free, is_y_free;    // whether they are not held
    Floats raw_xx, xy, raw_yy;    // covariance in the picture
    Floats xx, yy, determinant;   // with the low pass
    Floats opacity, log2_opacity; // before and after compensation
    Mask is_valid;                // finite numbers
};

SPLAT_INLINE void find_geometry(const SplatView& view, const SplatWorld& world, int64_t first, Geometry& g) {
    const float* r = view.camera_from_world;
    Floats logit, log_scale[3], raw[4];
    load_rows<3>(world.means, first, world.count, g.mean);
    load_rows<4>(world.quaternions, first, world.count, raw);
    load_rows<3>(world.log_scales, first, world.count, log_scale);
    load_rows<1>(world.opacity_logits, first, world.count, &logit);

    for (int i = 0; i < 3; ++i) g.camera[i] = r[4 * i] * g.mean[0] + r[4 * i + 1] * g.mean[1] + r[4 * i + 2] * g.mean[2] + r[4 * i + 3];
    g.inverse_z = 1.0f / larger(g.camera[2], fill(view.near_m));

    Floats length2 = raw[0] * raw[0] + raw[1] * raw[1] + raw[2] * raw[2] + raw[3] * raw[3];
    g.inverse_length = 1.0f / root(length2);
    for (int i = 0; i < 4; ++i) g.quaternion[i] = raw[i] * g.inverse_length;
    const Floats w = g.quaternion[0], x = g.quaternion[1], y = g.quaternion[2], z = g.quaternion[3];
    g.rotation[0][0] = 1.0f - 2.0f * (y * y + z * z);
    g.rotation[0][1] = 2.0f * (x * y - w * z);
    g.rotation[0][2] = 2.0f * (x * z + w * y);
    g.rotation[1][0] = 2.0f * (x * y + w * z);
    g.rotation[1][1] = 1.0f - 2.0f * (x * x + z * z);
    g.rotation[1][2] = 2.0f * (y * z - w * x);
    g.rotation[2][0] = 2.0f * (x * z - w * y);
    g.rotation[2][1] = 2.0f * (y * z + w * x);
    g.rotation[2][2] = 1.0f - 2.0f * (x * x + y * y);
    for (int j = 0; j < 3; ++j) g.scale[j] = exp_of(log_scale[j]);
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) g.spread[i][j] = g.rotation[i][j] * g.scale[j];

    const float margin_x = kFrameMargin * static_cast<float>(view.width_px), margin_y = kFrameMargin * static_cast<float>(view.height_px);
    const float low_x = (-margin_x - view.centre_x) / view.focal_x, high_x = (view.width_px + margin_x - view.centre_x) / view.focal_x;
    const float low_y = (-margin_y - view.centre_y) / view.focal_y, high_y = (view.height_px + margin_y - view.centre_y) / view.focal_y;
    Floats over_z = g.camera[0] * g.inverse_z;
    g.is_x_free = both(at_least(over_z, fill(low_x)), at_least(fill(high_x), over_z));
    g.slope_x = clamp(over_z, low_x, high_x);
    over_z = g.camera[1] * g.inverse_z;
    g.is_y_free = both(at_least(over_z, fill(low_y)), at_least(fill(high_y), over_z));
    g.slope_y = clamp(over_z, low_y, high_y);
    Floats step_x = view.focal_x * g.inverse_z, step_y = view.focal_y * g.inverse_z;
    for (int i = 0; i < 3; ++i) {
        g.to_x[i] = step_x * (r[i] - g.slope_x * r[8 + i]);
        g.to_y[i] = step_y * (r[4 + i] - g.slope_y * r[8 + i]);
    }
    for (int j = 0; j < 3; ++j) {
        g.v_x[j] = g.to_x[0] * g.spread[0][j] + g.to_x[1] * g.spread[1][j] + g.to_x[2] * g.spread[2][j];
        g.v_y[j] = g.to_y[0] * g.spread[0][j] + g.to_y[1] * g.spread[1][j] + g.to_y[2] * g.spread[2][j];
    }
    g.raw_xx = dot(g.v_x, g.v_x);
    g.xy = dot(g.v_x, g.v_y);
    g.raw_yy = dot(g.v_y, g.v_y);
    g.xx = g.raw_xx + view.low_pass_px2;
    g.yy = g.raw_yy + view.low_pass_px2;
    g.determinant = g.xx * g.yy - g.xy * g.xy;

    g.opacity = 1.0f / (1.0f + exp_of(-logit));
    g.log2_opacity = log2_of(larger(g.opacity, fill(1e-30f)));
    if (view.is_antialiased) {
        Floats share = larger(g.raw_xx * g.raw_yy - g.xy * g.xy, fill(1e-30f)) / g.determinant;
        g.log2_opacity += 0.5f * log2_of(larger(share, fill(1e-30f)));
    }
    // Anything that is not a number makes this sum none; what overflows makes the determinant none or infinite.
    Floats sum = g.mean[0] + g.mean[1] + g.mean[2] + log_scale[0] + log_scale[1] + log_scale[2] + logit;
    Floats zero = (sum - sum) + (g.determinant - g.determinant);
    g.is_valid = both(both(at_least(fill(0.0f), zero), less(fill(0.0f), length2)), both(less(fill(0.0f), g.determinant), less(length2, fill(3e38f))));
}

// The harmonics of a direction; with their slopes by it where asked.
template <bool kHasSlopes>
SPLAT_INLINE void find_harmonics(const Vec3 d, int count, Floats* y, Vec3* slopes) {
    const Floats x = d[0], v = d[1], z = d[2], zero = {};
    auto put = [&](int i, Floats value, Floats by_x, Floats by_y, Floats by_z) {
        y[i] = value;
        if constexpr (kHasSlopes) {
            slopes[i][0] = by_x;
            slopes[i][1] = by_y;
            slopes[i][2] = by_z;
        }
    };
    put(0, fill(kC0), zero, zero, zero);
    if (count < 4) return;
    put(1, -kC1 * v, zero, fill(-kC1), zero);
    put(2, kC1 * z, zero, zero, fill(kC1));
    put(3, -kC1 * x, fill(-kC1), zero, zero);
    if (count < 9) return;
    const Floats xx = x * x, yy = v * v, zz = z * z, xy = x * v, yz = v * z, xz = x * z;
    put(4, kC2[0] * xy, kC2[0] * v, kC2[0] * x, zero);
    put(5, kC2[1] * yz, zero, kC2[1] * z, kC2[1] * v);
    put(6, kC2[2] * (2.0f * zz - xx - yy), -2.0f * kC2[2] * x, -2.0f * kC2[2] * v, 4.0f * kC2[2] * z);
    put(7, kC2[3] * xz, kC2[3] * z, zero, kC2[3] * x);
    put(8, kC2[4] * (xx - yy), 2.0f * kC2[4] * x, -2.0f * kC2[4] * v, zero);
    if (count < 16) return;
    put(9, kC3[0] * v * (3.0f * xx - yy), 6.0f * kC3[0] * xy, 3.0f * kC3[0] * (xx - yy), zero);
    put(10, kC3[1] * xy * z, kC3[1] * yz, kC3[1] * xz, kC3[1] * xy);
    put(11, kC3[2] * v * (4.0f * zz - xx - yy), -2.0f * kC3[2] * xy, kC3[2] * (4.0f * zz - xx - 3.0f * yy), 8.0f * kC3[2] * yz);
    put(12, kC3[3] * z * (2.0f * zz - 3.0f * xx - 3.0f * yy), -6.0f * kC3[3] * xz, -6.0f * kC3[3] * yz, kC3[3] * (6.0f * zz - 3.0f * xx - 3.0f * yy));
    put(13, kC3[4] * x * (4.0f * zz - xx - yy), kC3[4] * (4.0f * zz - 3.0f * xx - yy), -2.0f * kC3[4] * xy, 8.0f * kC3[4] * xz);
    put(14, kC3[5] * z * (xx - yy), 2.0f * kC3[5] * xz, -2.0f * kC3[5] * yz, kC3[5] * (xx - yy));
    put(15, kC3[6] * x * (xx - 3.0f * yy), 3.0f * kC3[6] * (xx - yy), -6.0f * kC3[6] * xy, zero);
}

// Direction from the camera to the Gaussian; returns the inverse of its distance.
SPLAT_INLINE Floats find_direction(const SplatView& view, const Vec3 mean, Vec3 direction) {
    for (int i = 0; i < 3; ++i) direction[i] = mean[i] - view.position[i];
    Floats inverse = 1.0f / root(larger(dot(direction, direction), fill(1e-30f)));
    for (int i = 0; i < 3; ++i) direction[i] *= inverse;
    return inverse;
}

SPLAT_INLINE void load_coefficients(const SplatWorld& world, int64_t first, int i_coefficient, Vec3 coefficients) {
    alignas(64) float lanes[3][kLanes];
    for (int i_lane = 0; i_lane < kLanes; ++i_lane) {
        const float* from = world.sh + (std::min(first + i_lane, world.count - 1) * world.sh_count + i_coefficient) * 3;
        for (int i = 0; i < 3; ++i) lanes[i][i_lane] = from[i];
    }
    for (int i = 0; i < 3; ++i) coefficients[i] = load(lanes[i]);
}

// Which axis is the shortest, and the sign that turns it towards the camera.
SPLAT_INLINE void find_normal(const Geometry& g, const Vec3 direction, Vec3 normal, Mask is_axis[3], Floats* sign) {
    Mask is_first = both(at_least(g.scale[1], g.scale[0]), at_least(g.scale[2], g.scale[0]));
    Mask is_second = at_least(g.scale[2], g.scale[1]);
    const unsigned first = bits(is_first), second = bits(is_second) & ~first, third = 0xffffu & ~(first | second);
    is_axis[0] = mask_of(first);
    is_axis[1] = mask_of(second);
    is_axis[2] = mask_of(third);
    for (int i = 0; i < 3; ++i) normal[i] = select(is_axis[0], g.rotation[i][0], select(is_axis[1], g.rotation[i][1], g.rotation[i][2]));
    *sign = select(less(fill(0.0f), dot(normal, direction)), fill(-1.0f), fill(1.0f));
    for (int i = 0; i < 3; ++i) normal[i] *= *sign;
}

// The tiles of one row that an ellipse reaches, from the pixels [left, right] and the last row of tiles that it reaches in all: the first tile, and the one after
// the last in the upper half. Relative to the centre the ellipse is (dx - slope dy)^2 yy / determinant + dy^2 / yy = t.
SPLAT_INLINE Ints find_span(const Geometry& g, Floats x, Floats y, Floats t, Floats reach_y, Ints row, Ints last_row, Ints left,
                            Ints right) {
    const Floats first = to_floats(row << 4) + 0.5f - y;
    const Floats low = larger(first, -reach_y), high = smaller(first + static_cast<float>(kTile - 1), reach_y);
    // The rightmost point of the whole ellipse, and its leftmost one opposite.
    const Floats extreme_y = reach_y * g.xy / root(g.xx * g.yy), inverse_yy = 1.0f / g.yy, slope = g.xy * inverse_yy;
    const Floats y_right = smaller(larger(extreme_y, low), high), y_left = smaller(larger(-extreme_y, low), high);
    const Floats share = g.determinant * inverse_yy;
    const Floats width_right = root(larger((t - y_right * y_right * inverse_yy) * share, fill(0.0f)));
    const Floats width_left = root(larger((t - y_left * y_left * inverse_yy) * share, fill(0.0f)));
    const Floats limit = fill(static_cast<float>(1 << 20));
    const Ints from = larger(ceil_of(smaller(larger(x + slope * y_left - width_left - 0.5f, fill(-1.0f)), limit)), left);
    const Ints to = smaller(floor_of(smaller(larger(x + slope * y_right + width_right - 0.5f, fill(-1.0f)), limit)), right);
    const Mask is_reached = both(both(at_least(last_row, row), at_least(high, low)), at_least(to, from));
    const Ints span = (from >> 4) | ((to >> 4) + fill_ints(1)) << 16;
    return as_ints(zero_unless(is_reached, as_floats(span)));
}

}  // namespace

int64_t project_forward(const SplatView& view, const SplatWorld& world, const SplatScratch& scratch, int64_t begin, int64_t end, uint64_t* keys,
                        int64_t* unusable_count) {
    int64_t seen_count = 0, unusable = 0;
    for (int64_t first = begin; first < end; first += kLanes) {
        const int last = static_cast<int>(std::min<int64_t>(kLanes, end - first));
        const unsigned present = last == kLanes ? 0xffffu : (1u << last) - 1;
        Geometry g;
        find_geometry(view, world, first, g);
        unsigned valid = bits(g.is_valid) & present;
        std::fill_n(scratch.hits + first, last, 0);

        Floats x = view.focal_x * g.camera[0] * g.inverse_z + view.centre_x;
        Floats y = view.focal_y * g.camera[1] * g.inverse_z + view.centre_y;
        // Where alpha falls to its least: t = 2 ln(opacity / least alpha) squared deviations from the centre.
        Floats t = (2.0f * kLn2) * (g.log2_opacity - kLog2MinAlpha);
        Floats reach_x = root(larger(t * g.xx, fill(0.0f))), reach_y = root(larger(t * g.yy, fill(0.0f)));
        const float width = static_cast<float>(view.width_px), height = static_cast<float>(view.height_px);
        Ints left = ceil_of(clamp(x - reach_x - 0.5f, -1.0f, width)), right = floor_of(clamp(x + reach_x - 0.5f, -1.0f, width));
        Ints top = ceil_of(clamp(y - reach_y - 0.5f, -1.0f, height)), bottom = floor_of(clamp(y + reach_y - 0.5f, -1.0f, height));
        left = larger(left, Ints{});
        top = larger(top, Ints{});
        right = smaller(right, fill_ints(view.width_px - 1));
        bottom = smaller(bottom, fill_ints(view.height_px - 1));
        unsigned seen = valid & bits(less(fill(view.near_m), g.camera[2])) & bits(at_least(t, fill(0.0f))) &
                        bits(both(at_least(right, left), at_least(bottom, top)));
        unusable += __builtin_popcount(present & ~valid);
        if (seen == 0) continue;

        Vec3 direction, color = {fill(0.5f), fill(0.5f), fill(0.5f)}, normal = {};
        find_direction(view, g.mean, direction);
        Floats harmonics[16];
        find_harmonics<false>(direction, view.active_sh_count, harmonics, nullptr);
        for (int k = 0; k < view.active_sh_count; ++k) {
            Vec3 coefficients;
            load_coefficients(world, first, k, coefficients);
            for (int i = 0; i < 3; ++i) color[i] += harmonics[k] * coefficients[i];
        }
        Floats sum = color[0] + color[1] + color[2];
        const unsigned colored = bits(at_least(fill(0.0f), sum - sum));
        unusable += __builtin_popcount(seen & ~colored);
        seen &= colored;
        for (int i = 0; i < 3; ++i) color[i] = larger(color[i], fill(0.0f));
        if (view.has_geometry) {
            Mask is_axis[3];
            Floats sign;
            find_normal(g, direction, normal, is_axis, &sign);
        }

        const Ints first_row = top >> 4, last_row = bottom >> 4;

        alignas(64) float lanes[kUnused][kLanes];
        const Floats columns[kUnused] = {x,
                                             y,
                                             (-0.5f * kLog2E) * g.yy / g.determinant,
                                             g.xy / g.yy,
                                             (-0.5f * kLog2E) / g.yy,
                                             g.log2_opacity,
                                             color[0],
                                             color[1],
                                             color[2],
                                             g.camera[2],
                                             normal[0],
                                             normal[1],
                                             normal[2]};
        for (int i = 0; i < kUnused; ++i) store(lanes[i], columns[i]);
        alignas(64) int32_t reaches[kReachSize][kLanes];
        store_ints(reaches[kRows], first_row | last_row << 16);
        for (int row = 0; row < 2; ++row)
            store_ints(reaches[kFirstSpan + row], find_span(g, x, y, t, reach_y, first_row + fill_ints(row), last_row, left, right));
        for (; seen != 0; seen &= seen - 1) {
            const int i_lane = __builtin_ctz(seen);
            float* record = scratch.records + (first + i_lane) * kRecordSize;
            for (int i = 0; i < kUnused; ++i) record[i] = lanes[i][i_lane];
            int32_t* reach = scratch.reaches + (first + i_lane) * kReachSize;
            for (int i = kRows; i <= kSecondSpan; ++i) reach[i] = reaches[i][i_lane];
            uint32_t depth;
            std::memcpy(&depth, &record[kDepth], 4);
            scratch.hits[first + i_lane] = 1;
            keys[seen_count++] = uint64_t{depth} << 32 | static_cast<uint32_t>(first + i_lane);
        }
    }
    *unusable_count = unusable;
    return seen_count;
}

void project_backward(const SplatView& view, const SplatWorld& world, const SplatScratch& scratch, const SplatGradients& gradients, int64_t begin,
                      int64_t end) {
    const float* r = view.camera_from_world;
    for (int64_t first = begin; first < end; first += kLanes) {
        const int last = static_cast<int>(std::min<int64_t>(kLanes, end - first));
        unsigned seen = 0;
        Floats gathered[kLanes] = {};
        for (int i_lane = 0; i_lane < last; ++i_lane) {
            const int64_t i_gaussian = first + i_lane;
            const int32_t* places = scratch.places + scratch.first_places[i_gaussian];
            const int32_t hits = scratch.hits[i_gaussian];
            // The sums lie all over; ask early for those of the Gaussians after the next.
            if (i_gaussian + kAhead < end) {
                const int32_t* later = scratch.places + scratch.first_places[i_gaussian + kAhead];
                for (int32_t i = 0; i < std::min(4, scratch.hits[i_gaussian + kAhead]); ++i)
                    __builtin_prefetch(gradients.sums + int64_t{later[i]} * kRecordSize);
            }
            for (int32_t i = 0; i < hits; ++i) gathered[i_lane] += load(gradients.sums + int64_t{places[i]} * kRecordSize);
            seen |= static_cast<unsigned>(hits > 0) << i_lane;
        }
        Vec3 d_mean = {}, d_log_scale = {};
        Floats d_quaternion[4] = {}, d_logit = {}, d_screen = {};
        if (seen == 0) {
            store_rows<3>(gradients.means, first, end, d_mean);
            store_rows<4>(gradients.quaternions, first, end, d_quaternion);
            store_rows<3>(gradients.log_scales, first, end, d_log_scale);
            store_rows<1>(gradients.opacity_logits, first, end, &d_logit);
            store_rows<1>(gradients.screen, first, end, &d_screen);
            std::fill_n(gradients.sh + first * world.sh_count * 3, last * world.sh_count * 3, 0.0f);
            continue;
        }
        const Mask is_seen = mask_of(seen);
        alignas(64) float turned[kLanes][kLanes];
        for (int i_lane = 0; i_lane < kLanes; ++i_lane) {
            alignas(64) float row[kLanes];
            store(row, gathered[i_lane]);
            for (int i = 0; i < kAllSums; ++i) turned[i][i_lane] = row[i];
        }
        Floats s[kAllSums];
        for (int i = 0; i < kAllSums; ++i) s[i] = load(turned[i]);

        Geometry g;
        find_geometry(view, world, first, g);
        const Floats curve = (-0.5f * kLog2E) * g.yy / g.determinant, slope = g.xy / g.yy, column_curve = (-0.5f * kLog2E) / g.yy;
        // From the sums to the record's entries: p = curve d^2 + column_curve dy^2 + log2_opacity, d = x - kX - slope dy.
        const Floats d_x = -2.0f * curve * s[kGD];
        const Floats d_y = 2.0f * curve * slope * s[kGD] - 2.0f * column_curve * s[kGY];
        const Floats d_curve = s[kGDD], d_slope = -2.0f * curve * s[kGDY], d_column_curve = s[kGYY], d_log2_opacity = s[kG];
        d_screen = root(d_x * d_x + d_y * d_y);

        // From the entries to the covariance. d(yy / determinant): by xx -yy^2 / det^2, by xy 2 xy yy / det^2, by yy -xy^2 / det^2.
        const Floats inverse_determinant = 1.0f / g.determinant, inverse_yy = 1.0f / g.yy;
        const Floats pull = (-0.5f * kLog2E) * d_curve * inverse_determinant * inverse_determinant;
        Floats d_xx = -pull * g.yy * g.yy;
        Floats d_xy = 2.0f * pull * g.xy * g.yy + d_slope * inverse_yy;
        Floats d_yy = -pull * g.xy * g.xy - d_slope * slope * inverse_yy + (0.5f * kLog2E) * d_column_curve * inverse_yy * inverse_yy;
        if (view.is_antialiased) {
            const Floats half = 0.5f * kLog2E * d_log2_opacity;
            const Floats inverse_raw = 1.0f / larger(g.raw_xx * g.raw_yy - g.xy * g.xy, fill(1e-30f));
            d_xx += half * (g.raw_yy * inverse_raw - g.yy * inverse_determinant);
            d_yy += half * (g.raw_xx * inverse_raw - g.xx * inverse_determinant);
            d_xy += half * (2.0f * g.xy * (inverse_determinant - inverse_raw));
        }
        d_logit = kLog2E * d_log2_opacity * (1.0f - g.opacity);

        // Covariance = v v^T, v = to * spread.
        Vec3 d_vx, d_vy, d_to_x = {}, d_to_y = {}, d_spread[3];
        for (int j = 0; j < 3; ++j) {
            d_vx[j] = 2.0f * d_xx * g.v_x[j] + d_xy * g.v_y[j];
            d_vy[j] = 2.0f * d_yy * g.v_y[j] + d_xy * g.v_x[j];
        }
        for (int i = 0; i < 3; ++i)
            for (int j = 0; j < 3; ++j) {
                d_spread[i][j] = g.to_x[i] * d_vx[j] + g.to_y[i] * d_vy[j];
                d_to_x[i] += d_vx[j] * g.spread[i][j];
                d_to_y[i] += d_vy[j] * g.spread[i][j];
            }
        // to_x = focal / z (r_0 - slope_x r_2), and the place itself: x = focal X / z + centre.
        const Floats step_x = view.focal_x * g.inverse_z, step_y = view.focal_y * g.inverse_z;
        Floats along_x = {}, along_y = {}, back_x = {}, back_y = {};
        for (int i = 0; i < 3; ++i) {
            along_x += d_to_x[i] * g.to_x[i];
            along_y += d_to_y[i] * g.to_y[i];
            back_x += d_to_x[i] * r[8 + i];
            back_y += d_to_y[i] * r[8 + i];
        }
        const Floats d_slope_x = zero_unless(g.is_x_free, -step_x * back_x), d_slope_y = zero_unless(g.is_y_free, -step_y * back_y);
        Vec3 d_camera;
        d_camera[0] = step_x * d_x + d_slope_x * g.inverse_z;
        d_camera[1] = step_y * d_y + d_slope_y * g.inverse_z;
        d_camera[2] = -g.inverse_z * (d_camera[0] * g.camera[0] + d_camera[1] * g.camera[1] + along_x + along_y) + s[kDDepth];
        for (int j = 0; j < 3; ++j) d_mean[j] = r[j] * d_camera[0] + r[4 + j] * d_camera[1] + r[8 + j] * d_camera[2];

        // Colour: cut at 0, and the direction moves with the mean.
        Vec3 direction, d_direction = {}, color = {fill(0.5f), fill(0.5f), fill(0.5f)}, d_color;
        const Floats inverse_distance = find_direction(view, g.mean, direction);
        Floats harmonics[16];
        Vec3 slopes[16], coefficients[16];
        find_harmonics<true>(direction, view.active_sh_count, harmonics, slopes);
        for (int k = 0; k < view.active_sh_count; ++k) {
            load_coefficients(world, first, k, coefficients[k]);
            for (int i = 0; i < 3; ++i) color[i] += harmonics[k] * coefficients[k][i];
        }
        for (int i = 0; i < 3; ++i) d_color[i] = zero_unless(both(is_seen, less(fill(0.0f), color[i])), s[kDRed + i]);
        alignas(64) float lanes[48][kLanes];
        for (int k = 0; k < view.active_sh_count; ++k) {
            const Floats pull_k = d_color[0] * coefficients[k][0] + d_color[1] * coefficients[k][1] + d_color[2] * coefficients[k][2];
            for (int i = 0; i < 3; ++i) {
                store(lanes[3 * k + i], zero_unless(is_seen, d_color[i] * harmonics[k]));
                d_direction[i] += pull_k * slopes[k][i];
            }
        }
        for (int i_lane = 0; i_lane < last; ++i_lane) {
            float* to = gradients.sh + (first + i_lane) * world.sh_count * 3;
            for (int i = 0; i < 3 * view.active_sh_count; ++i) to[i] = lanes[i][i_lane];
            std::fill(to + 3 * view.active_sh_count, to + 3 * world.sh_count, 0.0f);
        }
        const Floats radial = dot(direction, d_direction);
        for (int i = 0; i < 3; ++i) d_mean[i] += (d_direction[i] - direction[i] * radial) * inverse_distance;

        // Spread = rotation diag(scale).
        Vec3 d_rotation[3];
        for (int j = 0; j < 3; ++j) {
            d_log_scale[j] = d_spread[0][j] * g.spread[0][j] + d_spread[1][j] * g.spread[1][j] + d_spread[2][j] * g.spread[2][j];
            for (int i = 0; i < 3; ++i) d_rotation[i][j] = d_spread[i][j] * g.scale[j];
        }
        if (view.has_geometry) {
            Vec3 normal;
            Mask is_axis[3];
            Floats sign;
            find_normal(g, direction, normal, is_axis, &sign);
            for (int i = 0; i < 3; ++i)
                for (int j = 0; j < 3; ++j) d_rotation[i][j] += zero_unless(is_axis[j], sign * s[kDNormalX + i]);
        }
        const Floats w = g.quaternion[0], x = g.quaternion[1], y = g.quaternion[2], z = g.quaternion[3];
        const Vec3* d = d_rotation;
        d_quaternion[0] = 2.0f * (x * (d[2][1] - d[1][2]) + y * (d[0][2] - d[2][0]) + z * (d[1][0] - d[0][1]));
        d_quaternion[1] = 2.0f * (w * (d[2][1] - d[1][2]) + y * (d[0][1] + d[1][0]) + z * (d[0][2] + d[2][0]) - 2.0f * x * (d[1][1] + d[2][2]));
        d_quaternion[2] = 2.0f * (w * (d[0][2] - d[2][0]) + x * (d[0][1] + d[1][0]) + z * (d[1][2] + d[2][1]) - 2.0f * y * (d[0][0] + d[2][2]));
        d_quaternion[3] = 2.0f * (w * (d[1][0] - d[0][1]) + x * (d[0][2] + d[2][0]) + y * (d[1][2] + d[2][1]) - 2.0f * z * (d[0][0] + d[1][1]));
        Floats outward = {};
        for (int i = 0; i < 4; ++i) outward += d_quaternion[i] * g.quaternion[i];
        for (int i = 0; i < 4; ++i) d_quaternion[i] = zero_unless(is_seen, (d_quaternion[i] - g.quaternion[i] * outward) * g.inverse_length);
        for (int i = 0; i < 3; ++i) {
            d_mean[i] = zero_unless(is_seen, d_mean[i]);
            d_log_scale[i] = zero_unless(is_seen, d_log_scale[i]);
        }
        d_logit = zero_unless(is_seen, d_logit);
        d_screen = zero_unless(is_seen, d_screen);
        store_rows<3>(gradients.means, first, end, d_mean);
        store_rows<4>(gradients.quaternions, first, end, d_quaternion);
        store_rows<3>(gradients.log_scales, first, end, d_log_scale);
        store_rows<1>(gradients.opacity_logits, first, end, &d_logit);
        store_rows<1>(gradients.screen, first, end, &d_screen);
    }
}

}  // namespace splat
