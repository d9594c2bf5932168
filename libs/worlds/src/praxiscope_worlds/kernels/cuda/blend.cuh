// Blending from near to far, and its gradients: a block of threads for each tile, a thread for each pixel.
//
// The way back walks from near to far as well: what lies behind a Gaussian is the finished pixel less what came before. So both ways take the same decisions from
// the same arithmetic, and nothing of the way there must be kept but the picture. That arithmetic is written with fmaf where one is wanted, and compiled with
// `-fmad=false`: whether the compiler contracts must not differ between the two.
#pragma once

#include "device.cuh"
#include "splat_cuda.hpp"
#include "tiles.cuh"

namespace splat {

static_assert(kTile * kTile == kBlockSize, "a thread for each pixel of a tile");
constexpr int kWarp = 32, kWarps = kBlockSize / kWarp;
constexpr unsigned kAllLanes = 0xffffffffu;
// Gaussians that a block has at hand at a time; on the way back each also has a line of sums for each warp.
constexpr int kBatch = kBlockSize, kBackBatch = 32;
constexpr int kShape = 6, kColors = 3, kFeaturesAll = 7;  // entries of a record: the ellipse, then what is blended

// A thread's pixel. A warp has 8 x 4 of them, nearer to a square than two rows of a tile: a small Gaussian touches fewer warps.
struct Pixel {
    __device__ Pixel(const SplatView& view, int32_t tiles_across)
        : column(static_cast<int>(blockIdx.x % tiles_across) * kTile + static_cast<int>(threadIdx.x / kWarp % 2 * 8 + threadIdx.x % 8)),
          row(static_cast<int>(blockIdx.x / tiles_across) * kTile + static_cast<int>(threadIdx.x / (2 * kWarp) * 4 + threadIdx.x % kWarp / 8)),
          is_inside(column < view.width_px && row < view.height_px),
          plane(int64_t{view.width_px} * view.height_px),
          place(int64_t{row} * view.width_px + column),
          x(static_cast<float>(column) + 0.5f),
          y(static_cast<float>(row) + 0.5f) {}
    const int column, row;
    const bool is_inside;
    const int64_t plane, place;
    const float x, y;
};

// One Gaussian in one pixel: alpha = 2^p where that counts, else 0.
struct Cover {
    __device__ Cover(const float* entry, const Pixel& pixel, float max_alpha) {
        dy = pixel.y - entry[kY];
        d = fmaf(-entry[kSlope], dy, pixel.x - entry[kX]);
        p = fmaf(entry[kCurve] * d, d, fmaf(entry[kColumnCurve] * dy, dy, entry[kLog2Opacity]));
        alpha = p >= kLog2MinAlpha ? fminf(exp2f(p), max_alpha) : 0.0f;
    }
    float dy, d, p, alpha;
};

// Copies the first entries of the next Gaussians' records to where the whole block reads them.
template <int kEntries>
__device__ inline void read_batch(const Lists& lists, int first, int count, float (*batch)[kEntries]) {
    const int i = static_cast<int>(threadIdx.x);
    if (i >= count) return;
    const float* record = lists.records + int64_t{lists.owners[lists.slots[first + i]]} * kRecordSize;
    for (int i_entry = 0; i_entry < kEntries; ++i_entry) batch[i][i_entry] = record[i_entry];
}

template <bool kHasGeometry>
__global__ void __launch_bounds__(kBlockSize) draw_tiles(SplatView view, int32_t tiles_across, Lists lists, SplatPicture picture) {
    constexpr int kFeatures = kHasGeometry ? kFeaturesAll : kColors;
    __shared__ float batch[kBatch][kShape + kFeatures];
    const Pixel pixel(view, tiles_across);
    bool is_open = pixel.is_inside;
    float through = 1.0f, sums[kFeatures];
    for (int i = 0; i < kFeatures; ++i) sums[i] = 0.0f;
    const int end = lists.ends[blockIdx.x];
    for (int first = lists.begins[blockIdx.x]; first < end; first += kBatch) {
        // Also keeps the last batch's readers apart from this one's writers.
        if (__syncthreads_count(is_open) == 0) break;
        const int count = min(kBatch, end - first);
        read_batch<kShape + kFeatures>(lists, first, count, batch);
        __syncthreads();
        for (int i = 0; i < count && is_open; ++i) {
            const Cover cover(batch[i], pixel, view.max_alpha);
            if (cover.alpha == 0.0f) continue;
            const float after = fmaf(-cover.alpha, through, through);
            // This Gaussian would leave too little: it does not count, and nothing behind it does.
            is_open = after >= kMinTransmittance;
            if (!is_open) break;
            const float weight = cover.alpha * through;
            for (int i_feature = 0; i_feature < kFeatures; ++i_feature) sums[i_feature] = fmaf(weight, batch[i][kShape + i_feature], sums[i_feature]);
            through = after;
        }
    }
    if (!pixel.is_inside) return;
    const float alpha = 1.0f - through;
    for (int i = 0; i < kColors; ++i) picture.color[i * pixel.plane + pixel.place] = fmaf(through, view.background[i], sums[i]);
    picture.alpha[pixel.place] = alpha;
    if constexpr (kHasGeometry) {
        picture.depth[pixel.place] = alpha > 0.0f ? sums[kColors] / alpha : nanf("");
        for (int i = 0; i < 3; ++i) picture.normals[i * pixel.plane + pixel.place] = sums[kColors + 1 + i];
    }
}

// Adds sixteen values of each lane over the warp; an even lane and the odd one after it are left with the sum of value lane / 2. Each step hands on half of
// what a lane has and keeps the other half: sixteen exchanges, where a sum of each value by itself takes five times as many. Always in the same order.
__device__ inline float sum_lanes(float (&values)[kRecordSize]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int half = kRecordSize / 2; half >= 1; half /= 2) {
        const bool is_upper = (lane & (2 * half)) != 0;
#pragma unroll
        for (int i = 0; i < half; ++i) {
            const float kept = is_upper ? values[i + half] : values[i], given = is_upper ? values[i] : values[i + half];
            values[i] = kept + __shfl_xor_sync(kAllLanes, given, 2 * half);
        }
    }
    return values[0] + __shfl_xor_sync(kAllLanes, values[0], 1);
}

// What a pixel pulls at, and what it still gets from the Gaussians not yet met and the background, weighed by the picture's gradient.
template <int kFeatures>
struct Pull {
    __device__ Pull(const Pixel& pixel, const SplatPicture& picture, const SplatPicture& wanted) {
        for (int i = 0; i < kFeatures; ++i) features[i] = 0.0f;
        behind = 0.0f;
        if (!pixel.is_inside) return;
        const float alpha = picture.alpha[pixel.place];
        float d_alpha = wanted.alpha == nullptr ? 0.0f : wanted.alpha[pixel.place];
        for (int i = 0; i < kColors; ++i) {
            features[i] = wanted.color[i * pixel.plane + pixel.place];
            behind = fmaf(features[i], picture.color[i * pixel.plane + pixel.place], behind);
        }
        if constexpr (kFeatures == kFeaturesAll) {
            if (wanted.depth != nullptr && alpha > 0.0f) {
                const float depth = picture.depth[pixel.place], d_depth = wanted.depth[pixel.place];
                features[kColors] = d_depth / alpha;
                behind = fmaf(d_depth, depth, behind);
                d_alpha = fmaf(-features[kColors], depth, d_alpha);
            }
            for (int i = 0; i < 3 && wanted.normals != nullptr; ++i) {
                features[kColors + 1 + i] = wanted.normals[i * pixel.plane + pixel.place];
                behind = fmaf(features[kColors + 1 + i], picture.normals[i * pixel.plane + pixel.place], behind);
            }
        }
        behind = fmaf(-d_alpha, 1.0f - alpha, behind);
    }
    float features[kFeatures], behind;
};

// Writes a line of sums into each slot that the tile reads; slots of Gaussians behind a closed tile are left as they are.
template <bool kHasGeometry>
__global__ void __launch_bounds__(kBlockSize)
differentiate_tiles(SplatView view, int32_t tiles_across, Lists lists, SplatPicture picture, SplatPicture wanted, float* all_sums) {
    constexpr int kFeatures = kHasGeometry ? kFeaturesAll : kColors;
    __shared__ float batch[kBackBatch][kShape + kFeatures];
    __shared__ float partial[kBackBatch][kWarps][kRecordSize];
    const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, i_warp = thread / kWarp;
    const Pixel pixel(view, tiles_across);
    Pull<kFeatures> pull(pixel, picture, wanted);
    bool is_open = pixel.is_inside;
    float through = 1.0f;
    const float log2_max_alpha = log2f(view.max_alpha);
    const int end = lists.ends[blockIdx.x];
    for (int first = lists.begins[blockIdx.x]; first < end; first += kBackBatch) {
        // Also keeps the last batch's readers apart from this one's writers.
        if (__syncthreads_count(is_open) == 0) break;
        const int count = min(kBackBatch, end - first);
        read_batch<kShape + kFeatures>(lists, first, count, batch);
        __syncthreads();
        for (int i = 0; i < count; ++i) {
            const float* entry = batch[i];
            const Cover cover(entry, pixel, view.max_alpha);
            bool counts = is_open && cover.alpha != 0.0f;
            float after = through;
            if (counts) {
                after = fmaf(-cover.alpha, through, through);
                is_open = counts = after >= kMinTransmittance;
            }
            float sums[kRecordSize];
            if (!__any_sync(kAllLanes, counts)) {
                if (lane % 2 == 0) partial[i][i_warp][lane / 2] = 0.0f;
                continue;
            }
            for (int i_sum = 0; i_sum < kRecordSize; ++i_sum) sums[i_sum] = 0.0f;
            if (counts) {
                const float weight = cover.alpha * through;
                float own = 0.0f;
                for (int i_feature = 0; i_feature < kFeatures; ++i_feature) {
                    own = fmaf(pull.features[i_feature], entry[kShape + i_feature], own);
                    sums[kDRed + i_feature] = weight * pull.features[i_feature];
                }
                pull.behind = fmaf(-weight, own, pull.behind);
                const float d_alpha = fmaf(own, through, -pull.behind / (1.0f - cover.alpha));
                // By the exponent; a capped alpha does not follow it.
                const float g = cover.p < log2_max_alpha ? d_alpha * cover.alpha : 0.0f;
                const float gd = g * cover.d, gy = g * cover.dy;
                sums[kG] = g;
                sums[kGD] = gd;
                sums[kGDD] = gd * cover.d;
                sums[kGY] = gy;
                sums[kGDY] = gd * cover.dy;
                sums[kGYY] = gy * cover.dy;
                through = after;
            }
            const float sum = sum_lanes(sums);
            if (lane % 2 == 0) partial[i][i_warp][lane / 2] = sum;
        }
        __syncthreads();
        for (int place = thread; place < count * kRecordSize; place += kBlockSize) {
            const int i = place / kRecordSize, i_sum = place % kRecordSize;
            float total = 0.0f;
            for (int i_part = 0; i_part < kWarps; ++i_part) total += partial[i][i_part][i_sum];
            // p is an exponent of 2: what was summed by alpha alone wants the logarithm.
            all_sums[int64_t{lists.slots[first + i]} * kRecordSize + i_sum] = i_sum < kDRed ? total * kLn2 : total;
        }
    }
}

}  // namespace splat
