// Which tiles an ellipse reaches.
#pragma once

#include <algorithm>
#include <cmath>

#include "splat.hpp"

namespace splat {

// Calls visit(i_tile) for each tile in which the Gaussian's alpha may be at least the least that counts. Tight: for every row of tiles, the ellipse's
// extent within that row, not its box. That of the first two rows is there, and most have no more.
template <typename Visit>
inline void visit_tiles(const SplatScratch& scratch, int32_t i_gaussian, int32_t tiles_across, Visit visit) {
    const int32_t* reach = scratch.reaches + int64_t{i_gaussian} * kReachSize;
    const int top = reach[kRows] & 0xffff, bottom = reach[kRows] >> 16;
    for (int row = 0; row < 2; ++row) {
        const int start = (top + row) * tiles_across, to = reach[kFirstSpan + row] >> 16;
        for (int column = reach[kFirstSpan + row] & 0xffff; column < to; ++column) visit(start + column);
    }
    if (bottom - top < 2) return;
    const float* record = scratch.records + int64_t{i_gaussian} * kRecordSize;
    // Relative to the centre, the ellipse is curve (dx - slope dy)^2 + column_curve dy^2 = -budget.
    const float budget = record[kLog2Opacity] - kLog2MinAlpha, slope = record[kSlope];
    const float inverse_curve = -1.0f / record[kCurve], column_curve = record[kColumnCurve];
    const float reach_y = std::sqrt(budget / -column_curve);
    // The rightmost point is where slope and the half width's slope are in balance.
    const float steep = slope * slope - inverse_curve * column_curve;  // variance of x over that of y
    const float extreme_y = steep > 0.0f ? reach_y * slope / std::sqrt(steep) : 0.0f;
    auto half_width = [&](float dy) { return std::sqrt(std::max(0.0f, (budget + column_curve * dy * dy) * inverse_curve)); };
    for (int row = top + 2; row <= bottom; ++row) {
        const float first = static_cast<float>(row * kTile) + 0.5f - record[kY];
        const float low = std::max(first, -reach_y), high = std::min(first + (kTile - 1), reach_y);
        if (low > high) continue;
        const float y_right = std::min(std::max(extreme_y, low), high), y_left = std::min(std::max(-extreme_y, low), high);
        const float x_right = record[kX] + slope * y_right + half_width(y_right);
        const float x_left = record[kX] + slope * y_left - half_width(y_left);
        const int from = static_cast<int>(std::min(1e6f, std::max(0.0f, std::ceil(x_left - 0.5f)))) >> 4;  // 1e6: beyond any picture, within an int
        const int to = x_right < 0.5f ? -1 : std::min(tiles_across - 1, static_cast<int>(std::min(1e6f, x_right - 0.5f)) >> 4);
        for (int column = from; column <= to; ++column) visit(row * tiles_across + column);
    }
}

}  // namespace splat
