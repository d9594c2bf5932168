// From Gaussians in the world to ellipses in the picture, and gradients back; a thread for each Gaussian. The arithmetic is that of the CPU's `project.cpp`.
//
// Source: M. Zwicker et al., "EWA Splatting", 2002; B. Kerbl et al., 2023; opacity compensation: Z. Yu et al., "Mip-Splatting", CVPR 2024, eq. 9.
#pragma once

#include "device.cuh"
#include "splat_cuda.hpp"
#include "tiles.cuh"

namespace splat {

constexpr int kMostHarmonics = 16;
// The slope of the perspective is taken at most this share of the picture's size outside of it; further out, EWA's linear picture of it breaks down.
constexpr float kFrameMargin = 0.15f;

__device__ inline float dot(const float a[3], const float b[3]) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
__device__ inline float clamp(float value, float low, float high) { return fminf(fmaxf(value, low), high); }
// e^x, held within what a float can hold.
__device__ inline float exp_within(float x) { return expf(clamp(x, -87.0f, 87.0f)); }

// Everything between the parameters and the ellipse that the way back needs too.
struct Geometry {
    float mean[3], camera[3];  // in the world's and the camera's frame
    float scale[3];            // standard deviations
    float quaternion[4], inverse_length;
    float rotation[3][3];      // world_from_gaussian
    float spread[3][3];        // rotation * diag(scale)
    float to_x[3], to_y[3];    // slope of the picture's x and y by the world's place
    float v_x[3], v_y[3];      // the same by the Gaussian's own axes in standard deviations
    float inverse_z;
    bool is_x_free, is_y_free;  // where the slopes are not held
    float raw_xx, xy, raw_yy, xx, yy, determinant;
    float opacity, log2_opacity;
    bool is_valid;  // finite numbers
};

__device__ inline void find_geometry(const SplatView& view, const SplatWorld& world, int64_t i_gaussian, Geometry& g) {
    const float* r = view.camera_from_world;
    const float *raw = world.quaternions + 4 * i_gaussian, *log_scale = world.log_scales + 3 * i_gaussian;
    const float logit = world.opacity_logits[i_gaussian];
    for (int i = 0; i < 3; ++i) g.mean[i] = world.means[3 * i_gaussian + i];
    for (int i = 0; i < 3; ++i) g.camera[i] = r[4 * i] * g.mean[0] + r[4 * i + 1] * g.mean[1] + r[4 * i + 2] * g.mean[2] + r[4 * i + 3];
    g.inverse_z = 1.0f / fmaxf(g.camera[2], view.near_m);

    const float length2 = raw[0] * raw[0] + raw[1] * raw[1] + raw[2] * raw[2] + raw[3] * raw[3];
    g.inverse_length = 1.0f / sqrtf(length2);
    for (int i = 0; i < 4; ++i) g.quaternion[i] = raw[i] * g.inverse_length;
    const float w = g.quaternion[0], x = g.quaternion[1], y = g.quaternion[2], z = g.quaternion[3];
    g.rotation[0][0] = 1.0f - 2.0f * (y * y + z * z);
    g.rotation[0][1] = 2.0f * (x * y - w * z);
    g.rotation[0][2] = 2.0f * (x * z + w * y);
    g.rotation[1][0] = 2.0f * (x * y + w * z);
    g.rotation[1][1] = 1.0f - 2.0f * (x * x + z * z);
    g.rotation[1][2] = 2.0f * (y * z - w * x);
    g.rotation[2][0] = 2.0f * (x * z - w * y);
    g.rotation[2][1] = 2.0f * (y * z + w * x);
    g.rotation[2][2] = 1.0f - 2.0f * (x * x + y * y);
    for (int j = 0; j < 3; ++j) g.scale[j] = exp_within(log_scale[j]);
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) g.spread[i][j] = g.rotation[i][j] * g.scale[j];

    const float width = static_cast<float>(view.width_px), height = static_cast<float>(view.height_px);
    const float low_x = (-kFrameMargin * width - view.centre_x) / view.focal_x, high_x = ((1.0f + kFrameMargin) * width - view.centre_x) / view.focal_x;
    const float low_y = (-kFrameMargin * height - view.centre_y) / view.focal_y, high_y = ((1.0f + kFrameMargin) * height - view.centre_y) / view.focal_y;
    const float over_x = g.camera[0] * g.inverse_z, over_y = g.camera[1] * g.inverse_z;
    g.is_x_free = over_x >= low_x && over_x <= high_x;
    g.is_y_free = over_y >= low_y && over_y <= high_y;
    const float slope_x = clamp(over_x, low_x, high_x), slope_y = clamp(over_y, low_y, high_y);
    const float step_x = view.focal_x * g.inverse_z, step_y = view.focal_y * g.inverse_z;
    for (int i = 0; i < 3; ++i) {
        g.to_x[i] = step_x * (r[i] - slope_x * r[8 + i]);
        g.to_y[i] = step_y * (r[4 + i] - slope_y * r[8 + i]);
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

    g.opacity = 1.0f / (1.0f + exp_within(-logit));
    g.log2_opacity = log2f(fmaxf(g.opacity, 1e-30f));
    if (view.is_antialiased) {
        const float share = fmaxf(g.raw_xx * g.raw_yy - g.xy * g.xy, 1e-30f) / g.determinant;
        g.log2_opacity += 0.5f * log2f(fmaxf(share, 1e-30f));
    }
    // Anything that is not a number makes this sum none; what overflows makes the determinant none or infinite.
    const float sum = g.mean[0] + g.mean[1] + g.mean[2] + log_scale[0] + log_scale[1] + log_scale[2] + logit;
    g.is_valid = isfinite(sum) && isfinite(g.determinant) && g.determinant > 0.0f && length2 > 0.0f && length2 < 3e38f;
}

// The harmonics of a direction; with their slopes by it where asked.
template <bool kHasSlopes>
__device__ inline void find_harmonics(const float d[3], int count, float* values, float (*slopes)[3]) {
    constexpr float kC0 = 0.28209479177387814f, kC1 = 0.4886025119029199f;
    constexpr float kC2 = 1.0925484305920792f, kC20 = 0.31539156525252005f, kC22 = 0.5462742152960396f;
    constexpr float kC30 = 0.3731763325901154f, kC31 = 0.4570457994644658f, kC32 = 2.890611442640554f, kC320 = 1.445305721320277f, kC33 = 0.5900435899266435f;
    const float x = d[0], y = d[1], z = d[2];
    auto put = [&](int i, float value, float by_x, float by_y, float by_z) {
        values[i] = value;
        if constexpr (kHasSlopes) {
            slopes[i][0] = by_x;
            slopes[i][1] = by_y;
            slopes[i][2] = by_z;
        }
    };
    put(0, kC0, 0.0f, 0.0f, 0.0f);
    if (count < 4) return;
    put(1, -kC1 * y, 0.0f, -kC1, 0.0f);
    put(2, kC1 * z, 0.0f, 0.0f, kC1);
    put(3, -kC1 * x, -kC1, 0.0f, 0.0f);
    if (count < 9) return;
    const float xx = x * x, yy = y * y, zz = z * z, xy = x * y, yz = y * z, xz = x * z;
    put(4, kC2 * xy, kC2 * y, kC2 * x, 0.0f);
    put(5, -kC2 * yz, 0.0f, -kC2 * z, -kC2 * y);
    put(6, kC20 * (2.0f * zz - xx - yy), -2.0f * kC20 * x, -2.0f * kC20 * y, 4.0f * kC20 * z);
    put(7, -kC2 * xz, -kC2 * z, 0.0f, -kC2 * x);
    put(8, kC22 * (xx - yy), 2.0f * kC22 * x, -2.0f * kC22 * y, 0.0f);
    if (count < 16) return;
    put(9, -kC33 * y * (3.0f * xx - yy), -6.0f * kC33 * xy, -3.0f * kC33 * (xx - yy), 0.0f);
    put(10, kC32 * xy * z, kC32 * yz, kC32 * xz, kC32 * xy);
    put(11, -kC31 * y * (4.0f * zz - xx - yy), 2.0f * kC31 * xy, -kC31 * (4.0f * zz - xx - 3.0f * yy), -8.0f * kC31 * yz);
    put(12, kC30 * z * (2.0f * zz - 3.0f * xx - 3.0f * yy), -6.0f * kC30 * xz, -6.0f * kC30 * yz, kC30 * (6.0f * zz - 3.0f * xx - 3.0f * yy));
    put(13, -kC31 * x * (4.0f * zz - xx - yy), -kC31 * (4.0f * zz - 3.0f * xx - yy), 2.0f * kC31 * xy, -8.0f * kC31 * xz);
    put(14, kC320 * z * (xx - yy), 2.0f * kC320 * xz, -2.0f * kC320 * yz, kC320 * (xx - yy));
    put(15, -kC33 * x * (xx - 3.0f * yy), -3.0f * kC33 * (xx - yy), 6.0f * kC33 * xy, 0.0f);
}

// Direction from the camera to the Gaussian; returns the inverse of its distance.
__device__ inline float find_direction(const SplatView& view, const float mean[3], float direction[3]) {
    for (int i = 0; i < 3; ++i) direction[i] = mean[i] - view.position[i];
    const float inverse = 1.0f / sqrtf(fmaxf(dot(direction, direction), 1e-30f));
    for (int i = 0; i < 3; ++i) direction[i] *= inverse;
    return inverse;
}

// The colour before it is cut at 0.
__device__ inline void find_color(const SplatView& view, const SplatWorld& world, int64_t i_gaussian, const float* harmonics, float color[3]) {
    const float* coefficients = world.sh + i_gaussian * world.sh_count * 3;
    for (int i = 0; i < 3; ++i) color[i] = 0.5f;
    for (int k = 0; k < view.active_sh_count; ++k)
        for (int i = 0; i < 3; ++i) color[i] += harmonics[k] * coefficients[3 * k + i];
}

// Returns which axis is the shortest, and the sign that turns it towards the camera.
__device__ inline int find_normal(const Geometry& g, const float direction[3], float normal[3], float* sign) {
    const int axis = g.scale[0] <= g.scale[1] && g.scale[0] <= g.scale[2] ? 0 : g.scale[1] <= g.scale[2] ? 1 : 2;
    for (int i = 0; i < 3; ++i) normal[i] = axis == 0 ? g.rotation[i][0] : axis == 1 ? g.rotation[i][1] : g.rotation[i][2];
    *sign = dot(normal, direction) > 0.0f ? -1.0f : 1.0f;
    for (int i = 0; i < 3; ++i) normal[i] *= *sign;
    return axis;
}

// Projects a Gaussian into its record and returns in how many tiles it is; `is_unusable` where a number of its does not allow it.
__device__ inline int64_t project_one(const SplatView& view, const SplatWorld& world, int32_t tiles_across, int64_t i_gaussian, float* record, bool* is_seen,
                                      bool* is_unusable) {
    Geometry g;
    find_geometry(view, world, i_gaussian, g);
    *is_unusable = !g.is_valid;
    if (!g.is_valid) return 0;
    const float x = view.focal_x * g.camera[0] * g.inverse_z + view.centre_x, y = view.focal_y * g.camera[1] * g.inverse_z + view.centre_y;
    // Where alpha falls to its least: t = 2 ln(opacity / least alpha) squared deviations from the centre.
    const float t = (2.0f * kLn2) * (g.log2_opacity - kLog2MinAlpha);
    const float reach_x = sqrtf(fmaxf(t * g.xx, 0.0f)), reach_y = sqrtf(fmaxf(t * g.yy, 0.0f));
    const float width = static_cast<float>(view.width_px), height = static_cast<float>(view.height_px);
    const int left = max(0, static_cast<int>(ceilf(clamp(x - reach_x - 0.5f, -1.0f, width))));
    const int right = min(view.width_px - 1, static_cast<int>(floorf(clamp(x + reach_x - 0.5f, -1.0f, width))));
    const int top = max(0, static_cast<int>(ceilf(clamp(y - reach_y - 0.5f, -1.0f, height))));
    const int bottom = min(view.height_px - 1, static_cast<int>(floorf(clamp(y + reach_y - 0.5f, -1.0f, height))));
    if (!(g.camera[2] > view.near_m && t >= 0.0f && right >= left && bottom >= top)) return 0;

    float direction[3], harmonics[kMostHarmonics], color[3], normal[3] = {0.0f, 0.0f, 0.0f};
    find_direction(view, g.mean, direction);
    find_harmonics<false>(direction, view.active_sh_count, harmonics, nullptr);
    find_color(view, world, i_gaussian, harmonics, color);
    *is_unusable = !isfinite(color[0] + color[1] + color[2]);
    if (*is_unusable) return 0;
    *is_seen = true;
    if (view.has_geometry) {
        float sign;
        find_normal(g, direction, normal, &sign);
    }
    record[kX] = x;
    record[kY] = y;
    record[kCurve] = (-0.5f * kLog2E) * g.yy / g.determinant;
    record[kSlope] = g.xy / g.yy;
    record[kColumnCurve] = (-0.5f * kLog2E) / g.yy;
    record[kLog2Opacity] = g.log2_opacity;
    for (int i = 0; i < 3; ++i) record[kRed + i] = fmaxf(color[i], 0.0f);
    record[kDepth] = g.camera[2];
    for (int i = 0; i < 3; ++i) record[kNormalX + i] = normal[i];
    record[kTilesX] = __int_as_float((left >> 4) | (right >> 4) << 16);
    record[kTilesY] = __int_as_float((top >> 4) | (bottom >> 4) << 16);
    int64_t hits = 0;
    visit_tiles(record, tiles_across, [&](int) { ++hits; });
    return hits;
}

// `hits` [N + 1] ends with a 0. `totals`: seen, unusable.
__global__ void __launch_bounds__(kBlockSize)
project(SplatView view, SplatWorld world, int32_t tiles_across, float* records, int64_t* hits, unsigned long long* totals) {
    const int64_t i_gaussian = thread_index();
    bool is_seen = false, is_unusable = false;
    if (i_gaussian < world.count)
        hits[i_gaussian] = project_one(view, world, tiles_across, i_gaussian, records + i_gaussian * kRecordSize, &is_seen, &is_unusable);
    else if (i_gaussian == world.count)
        hits[i_gaussian] = 0;
    const int seen = __syncthreads_count(is_seen), unusable = __syncthreads_count(is_unusable);
    if (threadIdx.x != 0) return;
    if (seen != 0) atomicAdd(totals, static_cast<unsigned long long>(seen));
    if (unusable != 0) atomicAdd(totals + 1, static_cast<unsigned long long>(unusable));
}

// Adds up what a Gaussian's slots hold into the first of them: sixteen threads side by side read a slot's line, and always in the same order.
__global__ void __launch_bounds__(kBlockSize) gather_sums(int64_t count, const int64_t* offsets, float* sums) {
    const int64_t i_gaussian = thread_index() / kRecordSize;
    if (i_gaussian >= count) return;
    const int64_t begin = offsets[i_gaussian], end = offsets[i_gaussian + 1];
    if (end - begin < 2) return;
    const int column = static_cast<int>(threadIdx.x) % kRecordSize;
    float total = 0.0f;
    for (int64_t slot = begin; slot < end; ++slot) total += sums[slot * kRecordSize + column];
    sums[begin * kRecordSize + column] = total;
}

// A quaternion's slope from its rotation's; at right angles to it, since its length does not matter.
__device__ inline void go_back_to_quaternion(const Geometry& g, const float d[3][3], float* d_quaternion) {
    const float w = g.quaternion[0], x = g.quaternion[1], y = g.quaternion[2], z = g.quaternion[3];
    float raw[4];
    raw[0] = 2.0f * (x * (d[2][1] - d[1][2]) + y * (d[0][2] - d[2][0]) + z * (d[1][0] - d[0][1]));
    raw[1] = 2.0f * (w * (d[2][1] - d[1][2]) + y * (d[0][1] + d[1][0]) + z * (d[0][2] + d[2][0]) - 2.0f * x * (d[1][1] + d[2][2]));
    raw[2] = 2.0f * (w * (d[0][2] - d[2][0]) + x * (d[0][1] + d[1][0]) + z * (d[1][2] + d[2][1]) - 2.0f * y * (d[0][0] + d[2][2]));
    raw[3] = 2.0f * (w * (d[1][0] - d[0][1]) + x * (d[0][2] + d[2][0]) + y * (d[1][2] + d[2][1]) - 2.0f * z * (d[0][0] + d[1][1]));
    float outward = 0.0f;
    for (int i = 0; i < 4; ++i) outward += raw[i] * g.quaternion[i];
    for (int i = 0; i < 4; ++i) d_quaternion[i] = (raw[i] - g.quaternion[i] * outward) * g.inverse_length;
}

// Colour: cut at 0, and the direction moves with the mean. Writes the coefficients' slopes and adds to the mean's.
__device__ inline void go_back_to_color(const SplatView& view, const SplatWorld& world, int64_t i_gaussian, const float* sums, const float direction[3],
                                        float inverse_distance, float* d_sh, float d_mean[3]) {
    const float* coefficients = world.sh + i_gaussian * world.sh_count * 3;
    float harmonics[kMostHarmonics], slopes[kMostHarmonics][3], color[3], d_color[3], d_direction[3] = {0.0f, 0.0f, 0.0f};
    find_harmonics<true>(direction, view.active_sh_count, harmonics, slopes);
    find_color(view, world, i_gaussian, harmonics, color);
    for (int i = 0; i < 3; ++i) d_color[i] = color[i] > 0.0f ? sums[kDRed + i] : 0.0f;
    for (int k = 0; k < view.active_sh_count; ++k) {
        const float pull = dot(d_color, coefficients + 3 * k);
        for (int i = 0; i < 3; ++i) {
            d_sh[3 * k + i] = d_color[i] * harmonics[k];
            d_direction[i] += pull * slopes[k][i];
        }
    }
    const float radial = dot(direction, d_direction);
    for (int i = 0; i < 3; ++i) d_mean[i] += (d_direction[i] - direction[i] * radial) * inverse_distance;
}

// Gradients of the world from what `gather_sums` left in each Gaussian's first slot; zero where it has none.
__global__ void __launch_bounds__(kBlockSize)
project_back(SplatView view, SplatWorld world, const int64_t* offsets, const float* all_sums, SplatGradients gradients, uint8_t* are_seen) {
    const int64_t i_gaussian = thread_index();
    if (i_gaussian >= world.count) return;
    float d_mean[3] = {0.0f, 0.0f, 0.0f}, d_log_scale[3] = {0.0f, 0.0f, 0.0f}, d_quaternion[4] = {0.0f, 0.0f, 0.0f, 0.0f}, d_logit = 0.0f, screen = 0.0f;
    float* d_sh = gradients.sh + i_gaussian * world.sh_count * 3;
    const bool is_seen = offsets[i_gaussian] != offsets[i_gaussian + 1];
    for (int64_t i = is_seen ? 3 * view.active_sh_count : 0; i < 3 * world.sh_count; ++i) d_sh[i] = 0.0f;
    if (is_seen) {
        const float* r = view.camera_from_world;
        const float* s = all_sums + offsets[i_gaussian] * kRecordSize;
        Geometry g;
        find_geometry(view, world, i_gaussian, g);
        const float curve = (-0.5f * kLog2E) * g.yy / g.determinant, slope = g.xy / g.yy, column_curve = (-0.5f * kLog2E) / g.yy;
        // From the sums to the record's entries: p = curve d^2 + column_curve dy^2 + log2_opacity, d = x - kX - slope dy.
        const float d_x = -2.0f * curve * s[kGD];
        const float d_y = 2.0f * curve * slope * s[kGD] - 2.0f * column_curve * s[kGY];
        const float d_curve = s[kGDD], d_slope = -2.0f * curve * s[kGDY], d_column_curve = s[kGYY], d_log2_opacity = s[kG];
        screen = sqrtf(d_x * d_x + d_y * d_y);

        // From the entries to the covariance. d(yy / determinant): by xx -yy^2 / det^2, by xy 2 xy yy / det^2, by yy -xy^2 / det^2.
        const float inverse_determinant = 1.0f / g.determinant, inverse_yy = 1.0f / g.yy;
        const float pull = (-0.5f * kLog2E) * d_curve * inverse_determinant * inverse_determinant;
        float d_xx = -pull * g.yy * g.yy;
        float d_xy = 2.0f * pull * g.xy * g.yy + d_slope * inverse_yy;
        float d_yy = -pull * g.xy * g.xy - d_slope * slope * inverse_yy + (0.5f * kLog2E) * d_column_curve * inverse_yy * inverse_yy;
        if (view.is_antialiased) {
            const float half = 0.5f * kLog2E * d_log2_opacity;
            const float inverse_raw = 1.0f / fmaxf(g.raw_xx * g.raw_yy - g.xy * g.xy, 1e-30f);
            d_xx += half * (g.raw_yy * inverse_raw - g.yy * inverse_determinant);
            d_yy += half * (g.raw_xx * inverse_raw - g.xx * inverse_determinant);
            d_xy += half * (2.0f * g.xy * (inverse_determinant - inverse_raw));
        }
        d_logit = kLog2E * d_log2_opacity * (1.0f - g.opacity);

        // Covariance = v v^T, v = to * spread.
        float d_vx[3], d_vy[3], d_to_x[3] = {0.0f, 0.0f, 0.0f}, d_to_y[3] = {0.0f, 0.0f, 0.0f}, d_spread[3][3];
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
        const float step_x = view.focal_x * g.inverse_z, step_y = view.focal_y * g.inverse_z;
        const float along_x = dot(d_to_x, g.to_x), along_y = dot(d_to_y, g.to_y), back_x = dot(d_to_x, r + 8), back_y = dot(d_to_y, r + 8);
        float d_camera[3];
        d_camera[0] = step_x * d_x + (g.is_x_free ? -step_x * back_x * g.inverse_z : 0.0f);
        d_camera[1] = step_y * d_y + (g.is_y_free ? -step_y * back_y * g.inverse_z : 0.0f);
        d_camera[2] = -g.inverse_z * (d_camera[0] * g.camera[0] + d_camera[1] * g.camera[1] + along_x + along_y) + s[kDDepth];
        for (int j = 0; j < 3; ++j) d_mean[j] = r[j] * d_camera[0] + r[4 + j] * d_camera[1] + r[8 + j] * d_camera[2];

        float direction[3];
        const float inverse_distance = find_direction(view, g.mean, direction);
        go_back_to_color(view, world, i_gaussian, s, direction, inverse_distance, d_sh, d_mean);

        // Spread = rotation diag(scale).
        float d_rotation[3][3];
        for (int j = 0; j < 3; ++j) {
            d_log_scale[j] = d_spread[0][j] * g.spread[0][j] + d_spread[1][j] * g.spread[1][j] + d_spread[2][j] * g.spread[2][j];
            for (int i = 0; i < 3; ++i) d_rotation[i][j] = d_spread[i][j] * g.scale[j];
        }
        if (view.has_geometry) {
            float normal[3], sign;
            const int axis = find_normal(g, direction, normal, &sign);
            for (int i = 0; i < 3; ++i)
                for (int j = 0; j < 3; ++j)
                    if (j == axis) d_rotation[i][j] += sign * s[kDNormalX + i];
        }
        go_back_to_quaternion(g, d_rotation, d_quaternion);
    }
    for (int i = 0; i < 3; ++i) gradients.means[3 * i_gaussian + i] = d_mean[i];
    for (int i = 0; i < 3; ++i) gradients.log_scales[3 * i_gaussian + i] = d_log_scale[i];
    for (int i = 0; i < 4; ++i) gradients.quaternions[4 * i_gaussian + i] = d_quaternion[i];
    gradients.opacity_logits[i_gaussian] = d_logit;
    gradients.screen[i_gaussian] = screen;
    are_seen[i_gaussian] = is_seen;
}

}  // namespace splat
