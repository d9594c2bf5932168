// What comes before blending: projection, the order by depth, and how many Gaussians each tile will hold.
#include <algorithm>
#include <cstring>
#include <new>

#include "splat.hpp"
#include "team.hpp"
#include "tiles.hpp"

namespace splat {
namespace {

constexpr int kDigitBits = 11, kDigits = 1 << kDigitBits, kPasses = 3;

// Sorts keys by their upper 32 bits, digit by digit from the last; equal depths stay in order of index. All threads call it; the result lies in `other`
// after an odd number of passes.
void sort_by_depth(Team& team, int i_thread, uint64_t* keys, uint64_t* other, int64_t count, int32_t* histograms) {
    int64_t begin, end;
    team.share(count, 1, i_thread, &begin, &end);
    int32_t* mine = histograms + int64_t{i_thread} * kDigits;
    for (int pass = 0; pass < kPasses; ++pass) {
        const int shift = 32 + pass * kDigitBits;
        std::fill_n(mine, kDigits, 0);
        for (int64_t i = begin; i < end; ++i) ++mine[keys[i] >> shift & (kDigits - 1)];
        team.wait_for_all();
        if (i_thread == 0) {
            int32_t place = 0;
            for (int digit = 0; digit < kDigits; ++digit)
                for (int i = 0; i < team.size(); ++i) {
                    int32_t& slot = histograms[int64_t{i} * kDigits + digit];
                    const int32_t found = slot;
                    slot = place;
                    place += found;
                }
        }
        team.wait_for_all();
        for (int64_t i = begin; i < end; ++i) other[mine[keys[i] >> shift & (kDigits - 1)]++] = keys[i];
        team.wait_for_all();
        std::swap(keys, other);
    }
}

}  // namespace

static bool prepare(const SplatView* view, const SplatWorld* world, const SplatScratch* scratch) {
    const Tiles tiles(*view);
    const int thread_count = view->thread_count;
    std::vector<int64_t> seen(thread_count), unusable(thread_count), begins(thread_count);
    std::vector<int32_t> histograms(int64_t{thread_count} * kDigits);
    int64_t seen_count = 0;
    const bool is_done = Team::run(thread_count, [&](Team& team, int i_thread) {
        int64_t begin, end;
        team.share(world->count, 16, i_thread, &begin, &end);
        begins[i_thread] = begin;
        seen[i_thread] = project_forward(*view, *world, *scratch, begin, end, scratch->keys + begin, &unusable[i_thread]);
        team.wait_for_all();
        if (i_thread == 0) {
            for (int i = 0; i < team.size(); ++i) {
                std::memmove(scratch->keys + seen_count, scratch->keys + begins[i], seen[i] * sizeof(uint64_t));
                seen_count += seen[i];
            }
        }
        team.wait_for_all();
        uint64_t* sorted = scratch->keys + world->count;
        sort_by_depth(team, i_thread, scratch->keys, sorted, seen_count, histograms.data());
        team.share(seen_count, 1, i_thread, &begin, &end);
        int32_t* counts = scratch->tile_counts + i_thread * tiles.count;
        std::fill_n(counts, tiles.count, 0);
        int64_t total = 0;
        for (int64_t i = begin; i < end; ++i) {
            if (i + 8 < end) __builtin_prefetch(scratch->reaches + int64_t{static_cast<uint32_t>(sorted[i + 8])} * kReachSize);
            const int32_t i_gaussian = static_cast<int32_t>(sorted[i]);
            int32_t hits = 0;
            visit_tiles(*scratch, i_gaussian, tiles.across, [&](int i_tile) {
                ++counts[i_tile];
                ++hits;
            });
            scratch->order[i] = i_gaussian;
            scratch->hits[i_gaussian] = hits;
            total += hits;
        }
        scratch->thread_counts[i_thread] = total;
    });
    if (!is_done) return false;
    scratch->totals[0] = seen_count;
    scratch->totals[1] = scratch->totals[2] = 0;
    for (int i = 0; i < thread_count; ++i) {
        scratch->totals[1] += scratch->thread_counts[i];
        scratch->totals[2] += unusable[i];
    }
    return true;
}

extern "C" int32_t splat_prepare(const SplatView* view, const SplatWorld* world, const SplatScratch* scratch) {
    try {
        return prepare(view, world, scratch) ? 0 : 1;
    } catch (const std::bad_alloc&) {
        return 1;
    }
}

}  // namespace splat
