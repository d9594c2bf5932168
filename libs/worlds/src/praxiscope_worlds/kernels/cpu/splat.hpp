// The C interface. All memory is the caller's; `_cpu.py` mirrors these structures.
//
// A picture is drawn in two calls: `splat_prepare` projects, sorts by depth and counts what each tile will hold, so that the caller knows what the second
// one needs; `splat_draw` fills the tiles' lists and blends. `splat_differentiate` goes back the same way. Every function returns 0, or 1 where the system gave no
// threads or memory and nothing was done.
#pragma once

#include <cstdint>

namespace splat {

constexpr int kTile = 16;        // pixels along the side of a tile: one vector a row
constexpr int kRecordSize = 16;  // floats of a projected Gaussian: one line of the cache
constexpr float kMinAlpha = 1.0f / 255.0f;
constexpr float kLog2MinAlpha = -7.99435344f;
constexpr float kMinTransmittance = 1e-4f;
constexpr float kLog2E = 1.44269504f;
constexpr float kLn2 = 0.69314718f;

// What a projected Gaussian's record holds. Its alpha at (x, y) is 2^p with
//     p = kCurve (x - kX - kSlope (y - kY))^2 + kColumnCurve (y - kY)^2 + kLog2Opacity,
// a completed square: both terms have one sign, so nothing cancels far from the centre, as it does in a x^2 + 2 b x y + c y^2.
enum Record { kX, kY, kCurve, kSlope, kColumnCurve, kLog2Opacity, kRed, kGreen, kBlue, kDepth, kNormalX, kNormalY, kNormalZ, kUnused };

// Which tiles a Gaussian reaches: the first row in the lower half and the last one in the upper, and of the first two rows the first tile and the one after the
// last. Apart from the record, since lists are made of this alone, Gaussian by Gaussian in the order of depth, and a quarter of a line of the cache is soon there.
enum Reach { kRows, kFirstSpan, kSecondSpan, kReachSize = 4 };

// What the backward pass sums for each Gaussian in a tile, over its pixels; g is the gradient of p.
enum Sum { kG, kGD, kGDD, kGY, kGDY, kGYY, kDRed, kDGreen, kDBlue, kDDepth, kDNormalX, kDNormalY, kDNormalZ };
constexpr int kColorSums = 9, kAllSums = 13;

extern "C" {

struct SplatView {
    int32_t width_px, height_px;
    float focal_x, focal_y, centre_x, centre_y;
    float camera_from_world[12];  // rows
    float position[3];
    float background[3];
    float low_pass_px2, near_m, max_alpha;
    int32_t is_antialiased, has_geometry;
    int32_t active_sh_count;
    int32_t thread_count;
};

struct SplatWorld {
    int64_t count;
    int64_t sh_count;
    const float *means, *quaternions, *log_scales, *opacity_logits, *sh;
};

struct SplatScratch {
    float* records;          // [N, 16], on a boundary of 64 bytes
    int32_t* hits;           // [N] tiles of each Gaussian, 0 where it is not seen
    int32_t* order;          // [N] seen Gaussians from near to far
    uint64_t* keys;          // [2 N]
    int32_t* tile_counts;    // [threads, tiles]
    int64_t* tile_begins;    // [tiles + 1]
    int64_t* thread_counts;  // [threads] intersections
    int64_t* totals;         // [3]: seen, intersections, left out because their numbers are unusable
    int32_t* ids;            // [I] Gaussians of each tile, from near to far
    int32_t* places;         // [I] where in `ids` each Gaussian's tiles are; null where no gradient is wanted
    int32_t* first_places;   // [N]
    int32_t* reaches;        // [N, 4] which tiles each Gaussian reaches
};

struct SplatPicture {
    float *color, *alpha, *depth, *normals;  // [3, H, W], [H, W], [H, W], [3, H, W]; the last two may be null
};

struct SplatGradients {
    float* sums;  // [I, 16], on a boundary of 64 bytes
    float *means, *quaternions, *log_scales, *opacity_logits, *sh;
    float* screen;  // [N] length of the gradient of the place in the picture, per pixel
};

int32_t splat_prepare(const SplatView* view, const SplatWorld* world, const SplatScratch* scratch);
int32_t splat_draw(const SplatView* view, const SplatScratch* scratch, const SplatPicture* picture);
int32_t splat_differentiate(const SplatView* view, const SplatWorld* world, const SplatScratch* scratch, const SplatPicture* picture,
                            const SplatPicture* picture_gradients, const SplatGradients* gradients);
}

struct Tiles {
    explicit Tiles(const SplatView& view)
        : across((view.width_px + kTile - 1) / kTile), down((view.height_px + kTile - 1) / kTile), count(int64_t{across} * down) {}
    int32_t across, down;
    int64_t count;
};

// Gradients of the world from the sums of `places`; for the Gaussians [begin, end).
void project_backward(const SplatView& view, const SplatWorld& world, const SplatScratch& scratch, const SplatGradients& gradients, int64_t begin,
                      int64_t end);
// Projects [begin, end); writes a key (depth, index) for each that may be seen, and returns how many. Counts unusable ones.
int64_t project_forward(const SplatView& view, const SplatWorld& world, const SplatScratch& scratch, int64_t begin, int64_t end, uint64_t* keys,
                        int64_t* unusable_count);

}  // namespace splat
