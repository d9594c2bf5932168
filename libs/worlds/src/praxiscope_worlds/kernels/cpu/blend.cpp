// Blending from near to far, and its gradients, tile by tile.
//
// The way back walks from near to far as well: what lies behind a Gaussian is the finished pixel less what came before. So both ways take the same decisions
// from the same arithmetic, and nothing of the way there must be kept but the picture.
#include <atomic>
#include <cmath>
#include <limits>

#include "splat.hpp"
#include "team.hpp"
#include "tiles.hpp"
#include "vectors.hpp"

namespace splat {
namespace {

constexpr int kBatch = 8;
constexpr int kBlockWidth = 8, kBlockHeight = 2, kBlocks = 16;

// A tile's part of the picture in sixteen blocks of 8 x 2 pixels, from left to right and down; a block is one vector, whose lanes go down first. Wide enough to
// be read as halves of rows, and nearer to a square than a row of sixteen: a Gaussian of a few pixels' size touches a third fewer of them.
struct Window {
    Window(const SplatView& view, const Tiles& tiles, int64_t i_tile)
        : x(static_cast<int>(i_tile % tiles.across) * kTile),
          y(static_cast<int>(i_tile / tiles.across) * kTile),
          width(view.width_px),
          height(view.height_px),
          plane(int64_t{view.width_px} * view.height_px),
          is_whole(x + kTile <= width && y + kTile <= height) {}

    static int left_of(int block) { return (block & 1) * kBlockWidth; }
    static int top_of(int block) { return (block >> 1) * kBlockHeight; }

    // Lanes of a block that lie in the picture.
    unsigned inside(int block) const {
        if (is_whole) return 0xffff;
        unsigned found = 0;
        for (int lane = 0; lane < kLanes; ++lane)
            if (x + left_of(block) + (lane >> 1) < width && y + top_of(block) + (lane & 1) < height) found |= 1u << lane;
        return found;
    }

    Floats load_block(const float* picture, int block) const {
        const float* from = picture + int64_t{y + top_of(block)} * width + x + left_of(block);
        if (is_whole) return load_in_turns(from, from + width);
        alignas(64) float values[kLanes] = {};
        for (unsigned left = inside(block); left != 0; left &= left - 1) {
            const int lane = __builtin_ctz(left);
            values[lane] = from[(lane & 1) * width + (lane >> 1)];
        }
        return load(values);
    }

    void store_block(float* picture, int block, Floats values) const {
        float* to = picture + int64_t{y + top_of(block)} * width + x + left_of(block);
        if (is_whole) return store_in_turns(to, to + width, values);
        alignas(64) float lanes[kLanes];
        store(lanes, values);
        for (unsigned left = inside(block); left != 0; left &= left - 1) {
            const int lane = __builtin_ctz(left);
            to[(lane & 1) * width + (lane >> 1)] = lanes[lane];
        }
    }

    int x, y, width, height;
    int64_t plane;
    bool is_whole;
};

// Places of a tile's pixels: by block (a lane each), and of the lanes of the left and the right blocks.
struct Places {
    explicit Places(const Window& window) {
        const Floats row = to_floats(to_ints(count_up()) >> 1), column = count_up() - 2.0f * row;
        block_x = column * kBlockWidth + (static_cast<float>(window.x) + 0.5f);
        block_y = row * kBlockHeight + (static_cast<float>(window.y) + 0.5f);
        lane_x[0] = row + (static_cast<float>(window.x) + 0.5f);
        lane_x[1] = lane_x[0] + kBlockWidth;
    }
    Floats block_x, block_y, lane_x[2];
};

// One Gaussian in the two rows of each block: the vectors run over blocks here.
struct Ridge {
    alignas(64) float centre[kBlocks][2];  // x where p is greatest
    alignas(64) float peak[kBlocks][2];    // p there
    alignas(64) float dy[kBlocks][2];
    unsigned reached;                      // blocks in which p may be enough
};

SPLAT_INLINE void find_ridge(const float* record, const Places& places, Ridge& ridge) {
    Floats dy[2], centre[2], peak[2], highest[2];
    for (int row = 0; row < 2; ++row) {
        dy[row] = places.block_y + (static_cast<float>(row) - record[kY]);
        centre[row] = record[kX] + record[kSlope] * dy[row];
        peak[row] = record[kColumnCurve] * dy[row] * dy[row] + record[kLog2Opacity];
        const Floats left = places.block_x - centre[row];
        const Floats outside = larger(larger(left, -left - static_cast<float>(kBlockWidth - 1)), fill(0.0f));
        highest[row] = record[kCurve] * outside * outside + peak[row];
    }
    // A hair wider than the pixels' own test, so that rounding never decides here.
    ridge.reached = bits(at_least(larger(highest[0], highest[1]), fill(kLog2MinAlpha - 1e-3f)));
    store_pairs(ridge.centre[0], centre[0], centre[1]);
    store_pairs(ridge.peak[0], peak[0], peak[1]);
    store_pairs(ridge.dy[0], dy[0], dy[1]);
}

// The next few Gaussians of a tile's list. Which blocks they reach is known for all of them before any is blended, so that a processor which guessed wrong how
// many blocks one reaches finds the next one's ready.
struct Batch {
    SPLAT_INLINE void read(const SplatScratch& scratch, int64_t first, int64_t end, const Places& places) {
        count = static_cast<int>(std::min<int64_t>(kBatch, end - first));
        const int64_t ahead = std::min(end, first + 2 * kBatch);
        for (int64_t i = first + kBatch; i < ahead; ++i) __builtin_prefetch(scratch.records + int64_t{scratch.ids[i]} * kRecordSize);
        for (int i = 0; i < count; ++i) {
            records[i] = scratch.records + int64_t{scratch.ids[first + i]} * kRecordSize;
            find_ridge(records[i], places, ridges[i]);
        }
    }
    int count;
    const float* records[kBatch];
    Ridge ridges[kBatch];
};

// Alpha of a block's pixels where it counts, else 0.
struct Alphas {
    Floats d, p, alpha;
};

SPLAT_INLINE Alphas find_alphas(float curve, const Ridge& ridge, int block, const Places& places, float max_alpha) {
    Alphas a;
    a.d = places.lane_x[block & 1] - fill_pairs(ridge.centre[block]);
    a.p = (curve * a.d) * a.d + fill_pairs(ridge.peak[block]);
    a.alpha = zero_unless(at_least(a.p, fill(kLog2MinAlpha)), smaller(exp2_by<4>(a.p), fill(max_alpha)));
    return a;
}

template <bool kHasGeometry>
void draw_tile(const SplatView& view, const Tiles& tiles, const SplatScratch& scratch, const SplatPicture& picture, int64_t i_tile) {
    constexpr int kFeatures = kHasGeometry ? 7 : 3;
    const Window window(view, tiles, i_tile);
    const Places places(window);
    Floats through[kBlocks], stopped[kBlocks], sums[kBlocks][kFeatures];
    unsigned open = 0, closed[kBlocks];  // blocks that still let light through; lanes that do not
    for (int block = 0; block < kBlocks; ++block) {
        const unsigned inside = window.inside(block);
        open |= static_cast<unsigned>(inside != 0) << block;
        closed[block] = 0xffff & ~inside;
        through[block] = zero_unless(mask_of(inside), fill(1.0f));
        stopped[block] = Floats{};
        for (int i = 0; i < kFeatures; ++i) sums[block][i] = Floats{};
    }
    const int64_t end = scratch.tile_begins[i_tile + 1];
    Batch batch;
    int32_t pairs[kBatch * kBlocks + kLanes];  // a Gaussian of the batch times sixteen, and a block that it reaches; from near to far
    for (int64_t first = scratch.tile_begins[i_tile]; first < end && open != 0; first += kBatch) {
        batch.read(scratch, first, end, places);
        int pair_count = 0;
        for (int i = 0; i < batch.count; ++i) pair_count += store_lanes(pairs + pair_count, batch.ridges[i].reached & open, i * kBlocks);
        for (int i = 0; i < pair_count; ++i) {
            const int block = pairs[i] % kBlocks;
            const float* record = batch.records[pairs[i] / kBlocks];
            const Alphas a = find_alphas(record[kCurve], batch.ridges[pairs[i] / kBlocks], block, places, view.max_alpha);
            const Floats before = through[block];
            Floats weight = a.alpha * before;
            Floats after = before - weight;
            const unsigned dark = bits(less(after, fill(kMinTransmittance)));
            if (__builtin_expect(dark != closed[block], 0)) {
                const Mask stops = mask_of(dark & ~closed[block]);
                closed[block] = dark;
                // This Gaussian would leave too little: it does not count, and nothing behind it does.
                weight = select(stops, Floats{}, weight);
                stopped[block] = select(stops, before, stopped[block]);
                after = select(stops, Floats{}, after);
                if (dark == 0xffff) open &= ~(1u << block);
            }
            through[block] = after;
            for (int i_feature = 0; i_feature < kFeatures; ++i_feature) sums[block][i_feature] += weight * record[kRed + i_feature];
        }
    }
    for (int block = 0; block < kBlocks; ++block) {
        if (window.inside(block) == 0) continue;
        const Floats left = through[block] + stopped[block], alpha = 1.0f - left;
        for (int i = 0; i < 3; ++i) window.store_block(picture.color + i * window.plane, block, sums[block][i] + left * view.background[i]);
        window.store_block(picture.alpha, block, alpha);
        if constexpr (kHasGeometry) {
            const Mask is_seen = less(fill(0.0f), alpha);
            const Floats depth = select(is_seen, sums[block][3] / alpha, fill(std::numeric_limits<float>::quiet_NaN()));
            window.store_block(picture.depth, block, depth);
            for (int i = 0; i < 3; ++i) window.store_block(picture.normals + i * window.plane, block, sums[block][4 + i]);
        }
    }
}

template <bool kHasGeometry>
void differentiate_tile(const SplatView& view, const Tiles& tiles, const SplatScratch& scratch, const SplatPicture& picture, const SplatPicture& wanted,
                        float* all_sums, int64_t i_tile) {
    constexpr int kFeatures = kHasGeometry ? 7 : 3, kSums = kHasGeometry ? kAllSums : kColorSums;
    const Window window(view, tiles, i_tile);
    // `behind`: what the pixel still gets from the Gaussians not yet met and the background, weighed by the picture's gradient.
    const Places places(window);
    Floats through[kBlocks], behind[kBlocks], pulls[kBlocks][kFeatures];
    unsigned open = 0, closed[kBlocks];  // blocks that still let light through; lanes that do not
    for (int block = 0; block < kBlocks; ++block) {
        const unsigned inside = window.inside(block);
        if (inside == 0) continue;
        open |= 1u << block;
        closed[block] = 0xffff & ~inside;
        through[block] = zero_unless(mask_of(inside), fill(1.0f));
        const Floats alpha = window.load_block(picture.alpha, block);
        Floats d_alpha = window.load_block(wanted.alpha, block);
        behind[block] = Floats{};
        for (int i = 0; i < 3; ++i) {
            pulls[block][i] = window.load_block(wanted.color + i * window.plane, block);
            behind[block] += pulls[block][i] * window.load_block(picture.color + i * window.plane, block);
        }
        if constexpr (kHasGeometry) {
            const Mask is_seen = less(fill(0.0f), alpha);
            const Floats depth = zero_unless(is_seen, window.load_block(picture.depth, block));
            const Floats d_depth = zero_unless(is_seen, window.load_block(wanted.depth, block));
            pulls[block][3] = zero_unless(is_seen, d_depth / alpha);
            behind[block] += d_depth * depth;
            d_alpha -= zero_unless(is_seen, pulls[block][3] * depth);
            for (int i = 0; i < 3; ++i) {
                pulls[block][4 + i] = window.load_block(wanted.normals + i * window.plane, block);
                behind[block] += pulls[block][4 + i] * window.load_block(picture.normals + i * window.plane, block);
            }
        }
        behind[block] -= d_alpha * (1.0f - alpha);
    }
    const float log2_max_alpha = std::log2(view.max_alpha);
    // p is an exponent of 2: what was summed by alpha alone wants the logarithm.
    alignas(64) static constexpr float kUnits[kLanes] = {kLn2, kLn2, kLn2, kLn2, kLn2, kLn2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const Floats units = load(kUnits);
    const int64_t end = scratch.tile_begins[i_tile + 1];
    Batch batch;
    int64_t i = scratch.tile_begins[i_tile];
    for (int place = kBatch; i < end && open != 0; ++i, ++place) {
        if (place == kBatch) {
            batch.read(scratch, i, end, places);
            place = 0;
        }
        const float* record = batch.records[place];
        const Ridge& ridge = batch.ridges[place];
        Floats sums[kSums];
        for (int i_sum = 0; i_sum < kSums; ++i_sum) sums[i_sum] = Floats{};
        for (unsigned left = ridge.reached & open; left != 0; left &= left - 1) {
            const int block = __builtin_ctz(left);
            const Alphas a = find_alphas(record[kCurve], ridge, block, places, view.max_alpha);
            Floats before = through[block];
            Floats weight = a.alpha * before, after = before - weight;
            const unsigned dark = bits(less(after, fill(kMinTransmittance)));
            if (__builtin_expect(dark != closed[block], 0)) {
                const Mask stops = mask_of(dark & ~closed[block]);
                closed[block] = dark;
                weight = select(stops, Floats{}, weight);
                after = select(stops, Floats{}, after);
                before = select(stops, Floats{}, before);
                behind[block] = select(stops, Floats{}, behind[block]);  // the background's share pulls at none of the Gaussians behind
                if (dark == 0xffff) open &= ~(1u << block);
            }
            through[block] = after;
            Floats own = pulls[block][0] * record[kRed];
            for (int i_feature = 1; i_feature < kFeatures; ++i_feature) own += pulls[block][i_feature] * record[kRed + i_feature];
            const Floats rest = behind[block] - weight * own;
            behind[block] = rest;
            const Floats d_alpha = own * before - rest * reciprocal(1.0f - a.alpha);
            const Floats g = zero_unless(less(a.p, fill(log2_max_alpha)), d_alpha * a.alpha);
            const Floats gd = g * a.d;
            const Floats dy = fill_pairs(ridge.dy[block]);
            sums[kG] += g;
            sums[kGD] += gd;
            sums[kGDD] += gd * a.d;
            sums[kGY] += g * dy;
            sums[kGDY] += gd * dy;
            sums[kGYY] += (g * dy) * dy;
            for (int i_feature = 0; i_feature < kFeatures; ++i_feature) sums[kDRed + i_feature] += weight * pulls[block][i_feature];
        }
        store(all_sums + i * kRecordSize, sum_each(sums) * units);
    }
    for (; i < end; ++i) store(all_sums + i * kRecordSize, Floats{});
}

// Fills the tiles' lists, each from near to far, from the counts that `splat_prepare` left.
void list_tiles(Team& team, int i_thread, const Tiles& tiles, const SplatScratch& scratch) {
    if (i_thread == 0) {
        int64_t place = 0;
        for (int64_t i_tile = 0; i_tile < tiles.count; ++i_tile) {
            scratch.tile_begins[i_tile] = place;
            for (int i = 0; i < team.size(); ++i) {
                int32_t& slot = scratch.tile_counts[i * tiles.count + i_tile];
                const int32_t found = slot;
                slot = static_cast<int32_t>(place);
                place += found;
            }
        }
        scratch.tile_begins[tiles.count] = place;
    }
    team.wait_for_all();
    int64_t begin, end, own_place = 0;
    team.share(scratch.totals[0], 1, i_thread, &begin, &end);
    for (int i = 0; i < i_thread; ++i) own_place += scratch.thread_counts[i];
    int32_t* places = scratch.tile_counts + i_thread * tiles.count;
    for (int64_t i = begin; i < end; ++i) {
        if (i + 8 < end) __builtin_prefetch(scratch.reaches + int64_t{scratch.order[i + 8]} * kReachSize);
        const int32_t i_gaussian = scratch.order[i];
        if (scratch.places == nullptr) {
            visit_tiles(scratch, i_gaussian, tiles.across, [&](int i_tile) { scratch.ids[places[i_tile]++] = i_gaussian; });
            continue;
        }
        scratch.first_places[i_gaussian] = static_cast<int32_t>(own_place);
        visit_tiles(scratch, i_gaussian, tiles.across, [&](int i_tile) {
            scratch.places[own_place++] = places[i_tile];
            scratch.ids[places[i_tile]++] = i_gaussian;
        });
    }
    team.wait_for_all();
}

}  // namespace

extern "C" int32_t splat_draw(const SplatView* view, const SplatScratch* scratch, const SplatPicture* picture) {
    const Tiles tiles(*view);
    std::atomic<int64_t> next{0};
    const bool is_done = Team::run(view->thread_count, [&](Team& team, int i_thread) {
        list_tiles(team, i_thread, tiles, *scratch);
        for (int64_t i_tile; (i_tile = next.fetch_add(1)) < tiles.count;) {
            if (view->has_geometry)
                draw_tile<true>(*view, tiles, *scratch, *picture, i_tile);
            else
                draw_tile<false>(*view, tiles, *scratch, *picture, i_tile);
        }
    });
    return is_done ? 0 : 1;
}

extern "C" int32_t splat_differentiate(const SplatView* view, const SplatWorld* world, const SplatScratch* scratch, const SplatPicture* picture,
                                       const SplatPicture* picture_gradients, const SplatGradients* gradients) {
    const Tiles tiles(*view);
    std::atomic<int64_t> next{0};
    const bool is_done = Team::run(view->thread_count, [&](Team& team, int i_thread) {
        for (int64_t i_tile; (i_tile = next.fetch_add(1)) < tiles.count;) {
            if (view->has_geometry)
                differentiate_tile<true>(*view, tiles, *scratch, *picture, *picture_gradients, gradients->sums, i_tile);
            else
                differentiate_tile<false>(*view, tiles, *scratch, *picture, *picture_gradients, gradients->sums, i_tile);
        }
        team.wait_for_all();
        int64_t begin, end;
        team.share(world->count, 16, i_thread, &begin, &end);
        project_backward(*view, *world, *scratch, *gradients, begin, end);
    });
    return is_done ? 0 : 1;
}

}  // namespace splat
