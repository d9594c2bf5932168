// Which tiles an ellipse reaches, and the tiles' lists.
#pragma once

#include "device.cuh"
#include "splat_cuda.hpp"

namespace splat {

// Calls visit(i_tile) for each tile in which the Gaussian's alpha may be at least the least that counts; the arithmetic of the CPU's `tiles.hpp`. Two kernels call it
// for the same records and must see the same tiles, so nothing here may be contracted into other operations (`-fmad=false`).
template <typename Visit>
__device__ inline void visit_tiles(const float* record, int32_t tiles_across, Visit visit) {
    const int packed_x = __float_as_int(record[kTilesX]), packed_y = __float_as_int(record[kTilesY]);
    const int left = packed_x & 0xffff, right = packed_x >> 16, top = packed_y & 0xffff, bottom = packed_y >> 16;
    if (left == right || top == bottom) {
        for (int row = top; row <= bottom; ++row)
            for (int column = left; column <= right; ++column) visit(row * tiles_across + column);
        return;
    }
    // Relative to the centre, the ellipse is curve (dx - slope dy)^2 + column_curve dy^2 = -budget.
    const float budget = record[kLog2Opacity] - kLog2MinAlpha, slope = record[kSlope];
    const float inverse_curve = -1.0f / record[kCurve], column_curve = record[kColumnCurve];
    const float reach_y = sqrtf(budget / -column_curve);
    // The rightmost point is where slope and the half width's slope are in balance.
    const float steep = slope * slope - inverse_curve * column_curve;  // variance of x over that of y
    const float extreme_y = steep > 0.0f ? reach_y * slope / sqrtf(steep) : 0.0f;
    auto half_width = [&](float dy) { return sqrtf(fmaxf(0.0f, (budget + column_curve * dy * dy) * inverse_curve)); };
    for (int row = top; row <= bottom; ++row) {
        const float first = static_cast<float>(row * kTile) + 0.5f - record[kY];
        const float low = fmaxf(first, -reach_y), high = fminf(first + (kTile - 1), reach_y);
        if (low > high) continue;
        const float y_right = fminf(fmaxf(extreme_y, low), high), y_left = fminf(fmaxf(-extreme_y, low), high);
        const float x_right = record[kX] + slope * y_right + half_width(y_right);
        const float x_left = record[kX] + slope * y_left - half_width(y_left);
        const int from = max(left, static_cast<int>(fminf(1e6f, fmaxf(0.0f, ceilf(x_left - 0.5f)))) >> 4);
        const int to = x_right < 0.5f ? -1 : min(right, static_cast<int>(fminf(1e6f, x_right - 0.5f)) >> 4);
        for (int column = from; column <= to; ++column) visit(row * tiles_across + column);
    }
}

// What the tiles hold. The intersections of Gaussian i are the slots offsets[i] to offsets[i + 1]; a tile's list names slots, from near to far.
struct Lists {
    const float* records;    // [N, 16]
    const int64_t* offsets;  // [N + 1]
    const int32_t* owners;   // [I] Gaussian of each slot
    const int32_t* slots;    // [I] of each tile
    const int32_t* begins;   // [tiles]
    const int32_t* ends;     // [tiles]
};

// Writes each intersection into its slot, with a key that orders by tile, then by depth. Depths are positive, so their bits are in their order; where they are
// equal, a sort that keeps the order of its input leaves the Gaussians in theirs.
__global__ void __launch_bounds__(kBlockSize)
list_intersections(int64_t count, int32_t tiles_across, const float* records, const int64_t* offsets, uint64_t* keys, int32_t* slots, int32_t* owners) {
    const int64_t i_gaussian = thread_index();
    if (i_gaussian >= count || offsets[i_gaussian] == offsets[i_gaussian + 1]) return;
    const float* record = records + i_gaussian * kRecordSize;
    int64_t slot = offsets[i_gaussian];
    const uint64_t depth = static_cast<uint32_t>(__float_as_int(record[kDepth]));
    visit_tiles(record, tiles_across, [&](int i_tile) {
        keys[slot] = static_cast<uint64_t>(i_tile) << 32 | depth;
        slots[slot] = static_cast<int32_t>(slot);
        owners[slot] = static_cast<int32_t>(i_gaussian);
        ++slot;
    });
}

// Where each tile's list begins and ends among the sorted keys; tiles that have none keep 0 and 0.
__global__ void __launch_bounds__(kBlockSize) find_ranges(int64_t count, const uint64_t* keys, int32_t* begins, int32_t* ends) {
    const int64_t i = thread_index();
    if (i >= count) return;
    const uint32_t i_tile = static_cast<uint32_t>(keys[i] >> 32);
    if (i == 0 || i_tile != static_cast<uint32_t>(keys[i - 1] >> 32)) begins[i_tile] = static_cast<int32_t>(i);
    if (i == count - 1 || i_tile != static_cast<uint32_t>(keys[i + 1] >> 32)) ends[i_tile] = static_cast<int32_t>(i + 1);
}

}  // namespace splat
