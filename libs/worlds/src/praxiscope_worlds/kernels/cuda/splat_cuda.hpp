// The C interface of the kernels on an NVIDIA GPU; `_cuda.py` calls it. The structures are the CPU's, and what they point to is the caller's own memory;
// what lies on the device stays behind two handles.
//
// A picture is drawn in two calls, as on the CPU: `splat_cuda_prepare` projects and counts, so that the caller may refuse before memory is taken for the lists;
// `splat_cuda_draw` lists, sorts and blends. The drawing can be differentiated any number of times until it is forgotten. Calls may run side by side.
//
// Every function that returns an int32_t returns 0, or what went wrong: a cudaError_t, or -1 where the host has no memory.
#pragma once

#include <cstdint>

#include "../cpu/splat.hpp"

namespace splat {

struct SplatDevice;
struct SplatDrawing;

extern "C" {

// `name`: 256 characters. `capability`: ten times the major number and the minor one.
int32_t splat_cuda_open(int32_t i_device, SplatDevice** device, char* name, int32_t* capability);
void splat_cuda_close(SplatDevice* device);

// `totals`: seen, intersections, left out because their numbers are unusable. No drawing is made where something went wrong.
int32_t splat_cuda_prepare(SplatDevice* device, const SplatView* view, const SplatWorld* world, SplatDrawing** drawing, int64_t* totals);
int32_t splat_cuda_draw(SplatDrawing* drawing, const SplatPicture* picture);
// A null plane of the picture's gradients is zero; `gradients->sums` is not used. `is_seen` [N]: 1 where a Gaussian may touch the picture.
int32_t splat_cuda_differentiate(SplatDrawing* drawing, const SplatPicture* picture_gradients, const SplatGradients* gradients, uint8_t* is_seen);
void splat_cuda_forget(SplatDrawing* drawing);

// As the CPU's `splat_loss` and `splat_adam`.
int32_t splat_cuda_loss(SplatDevice* device, int32_t width, int32_t height, float ssim_share, const float* drawn, const float* wanted, float* gradient,
                        double* means);
int32_t splat_cuda_adam(SplatDevice* device, int64_t count, int32_t width, const float* step_sizes, float beta1, float beta2, float epsilon,
                        float second_correction, const uint8_t* is_moved, const float* gradients, float* first, float* second, float* values);

// What a number other than 0 means, in CUDA's words.
const char* splat_cuda_describe(int32_t code);
}

}  // namespace splat
