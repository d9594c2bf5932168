// The C interface: what runs in which order, and where it lies.
#include "splat_cuda.hpp"

#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include <cmath>
#include <cstdio>
#include <new>
#include <utility>
#include <vector>

#include "adam.cuh"
#include "blend.cuh"
#include "device.cuh"
#include "picture_loss.cuh"
#include "project.cuh"
#include "tiles.cuh"

namespace splat {

struct SplatDevice {
    std::shared_ptr<Device> device;
};

namespace {

typedef std::shared_ptr<Device> DevicePointer;

// Does a call's work on its device, and says what went wrong. What was allocated for it goes back on the way out; nothing is thrown into the caller's language.
template <typename Work>
int32_t attempt(const DevicePointer& device, Work work) {
    try {
        device->use();
        work();
        device->wait();
        return 0;
    } catch (const Failure& failure) {
        return static_cast<int32_t>(failure.code);
    } catch (const std::bad_alloc&) {
        return -1;
    }
}

struct Planes {
    Planes() = default;
    Planes(const DevicePointer& device, int64_t pixel_count, bool has_geometry)
        : color(device, 3 * pixel_count),
          alpha(device, pixel_count),
          depth(device, has_geometry ? pixel_count : 0),
          normals(device, has_geometry ? 3 * pixel_count : 0) {}
    Planes(const DevicePointer& device, int64_t pixel_count, const SplatPicture& from)
        : color(device, from.color, 3 * pixel_count),
          alpha(device, from.alpha, pixel_count),
          depth(device, from.depth, pixel_count),
          normals(device, from.normals, 3 * pixel_count) {}
    SplatPicture get() const { return {color.get(), alpha.get(), depth.get(), normals.get()}; }
    Buffer<float> color, alpha, depth, normals;
};

// Runs one of CUB's algorithms, which first says how much memory it wants.
template <typename Algorithm>
void run(const DevicePointer& device, Algorithm algorithm) {
    size_t size = 0;
    check(algorithm(nullptr, size));
    Buffer<char> memory(device, static_cast<int64_t>(size));
    check(algorithm(memory.get(), size));
}

}  // namespace

struct SplatDrawing {
    SplatDrawing(const DevicePointer& where, const SplatView& from, const SplatWorld& world)
        : device(where),
          view(from),
          tiles(from),
          count(world.count),
          sh_count(world.sh_count),
          means(where, world.means, 3 * count),
          quaternions(where, world.quaternions, 4 * count),
          log_scales(where, world.log_scales, 3 * count),
          opacity_logits(where, world.opacity_logits, count),
          sh(where, world.sh, 3 * sh_count * count),
          records(where, kRecordSize * count),
          offsets(where, count + 1) {}

    SplatWorld world() const { return {count, sh_count, means.get(), quaternions.get(), log_scales.get(), opacity_logits.get(), sh.get()}; }
    Lists lists() const { return {records.get(), offsets.get(), owners.get(), slots.get(), begins.get(), ends.get()}; }

    DevicePointer device;
    SplatView view;
    Tiles tiles;
    int64_t count, sh_count, intersection_count = 0;
    Buffer<float> means, quaternions, log_scales, opacity_logits, sh;
    Buffer<float> records;
    Buffer<int64_t> offsets;
    Buffer<int32_t> owners, slots, begins, ends;
    Planes picture;
};

namespace {

void count_intersections(SplatDrawing& drawing, int64_t* totals) {
    const DevicePointer& device = drawing.device;
    Buffer<int64_t> hits(device, drawing.count + 1);
    Buffer<unsigned long long> counts(device, 2);
    counts.clear();
    launch(*device, project, blocks_for(drawing.count + 1), drawing.view, drawing.world(), drawing.tiles.across, drawing.records.get(), hits.get(), counts.get());
    run(device, [&](void* memory, size_t& size) {
        return cub::DeviceScan::ExclusiveSum(memory, size, hits.get(), drawing.offsets.get(), static_cast<int>(drawing.count + 1), device->stream());
    });
    unsigned long long found[2];
    counts.download(found);
    check(cudaMemcpyAsync(&drawing.intersection_count, drawing.offsets.get() + drawing.count, sizeof(int64_t), cudaMemcpyDeviceToHost, device->stream()));
    device->wait();
    totals[0] = static_cast<int64_t>(found[0]);
    totals[1] = drawing.intersection_count;
    totals[2] = static_cast<int64_t>(found[1]);
}

void fill_lists(SplatDrawing& drawing) {
    const DevicePointer& device = drawing.device;
    const int64_t count = drawing.intersection_count;
    drawing.begins = Buffer<int32_t>(device, drawing.tiles.count);
    drawing.ends = Buffer<int32_t>(device, drawing.tiles.count);
    drawing.begins.clear();
    drawing.ends.clear();
    drawing.owners = Buffer<int32_t>(device, count);
    drawing.slots = Buffer<int32_t>(device, count);
    if (count == 0) return;
    Buffer<uint64_t> keys(device, count), sorted(device, count);
    Buffer<int32_t> unsorted(device, count);
    launch(*device, list_intersections, blocks_for(drawing.count), drawing.count, drawing.tiles.across, drawing.records.get(),
           drawing.offsets.get(), keys.get(), unsorted.get(), drawing.owners.get());
    int end_bit = 32;
    while ((drawing.tiles.count - 1) >> (end_bit - 32) != 0) ++end_bit;
    run(device, [&](void* memory, size_t& size) {
        return cub::DeviceRadixSort::SortPairs(memory, size, keys.get(), sorted.get(), unsorted.get(), drawing.slots.get(), static_cast<int>(count), 0, end_bit,
                                               device->stream());
    });
    launch(*device, find_ranges, blocks_for(count), count, sorted.get(), drawing.begins.get(), drawing.ends.get());
}

void draw(SplatDrawing& drawing, const SplatPicture& picture) {
    const DevicePointer& device = drawing.device;
    const bool has_geometry = drawing.view.has_geometry != 0;
    fill_lists(drawing);
    drawing.picture = Planes(device, int64_t{drawing.view.width_px} * drawing.view.height_px, has_geometry);
    launch(*device, has_geometry ? draw_tiles<true> : draw_tiles<false>, drawing.tiles.count, drawing.view, drawing.tiles.across, drawing.lists(),
           drawing.picture.get());
    drawing.picture.color.download(picture.color);
    drawing.picture.alpha.download(picture.alpha);
    drawing.picture.depth.download(picture.depth);
    drawing.picture.normals.download(picture.normals);
}

void differentiate(const SplatDrawing& drawing, const SplatPicture& picture_gradients, const SplatGradients& gradients, uint8_t* is_seen) {
    const DevicePointer& device = drawing.device;
    const int64_t count = drawing.count;
    const bool has_geometry = drawing.view.has_geometry != 0;
    const Planes wanted(device, int64_t{drawing.view.width_px} * drawing.view.height_px, picture_gradients);
    const Buffer<float> sums(device, kRecordSize * drawing.intersection_count), means(device, 3 * count), quaternions(device, 4 * count),
        log_scales(device, 3 * count), opacity_logits(device, count), sh(device, 3 * drawing.sh_count * count), screen(device, count);
    const Buffer<uint8_t> seen(device, count);
    sums.clear();  // what lies behind closed tiles is not written
    launch(*device, has_geometry ? differentiate_tiles<true> : differentiate_tiles<false>, drawing.tiles.count, drawing.view, drawing.tiles.across,
           drawing.lists(), drawing.picture.get(), wanted.get(), sums.get());
    launch(*device, gather_sums, blocks_for(kRecordSize * count), count, drawing.offsets.get(), sums.get());
    const SplatGradients found{sums.get(), means.get(), quaternions.get(), log_scales.get(), opacity_logits.get(), sh.get(), screen.get()};
    launch(*device, project_back, blocks_for(count), drawing.view, drawing.world(), drawing.offsets.get(),
           sums.get(), found, seen.get());
    means.download(gradients.means);
    quaternions.download(gradients.quaternions);
    log_scales.download(gradients.log_scales);
    opacity_logits.download(gradients.opacity_logits);
    sh.download(gradients.sh);
    screen.download(gradients.screen);
    seen.download(is_seen);
}

LossShape shape_of(int32_t width, int32_t height, float ssim_share) {
    LossShape shape{width, height, 3 * int64_t{width} * height, ssim_share, {}};
    double total = 0.0, raw[kTaps];
    for (int i = 0; i < kTaps; ++i) total += raw[i] = std::exp(-(i - kReach) * (i - kReach) / (2.0 * 1.5 * 1.5));
    for (int i = 0; i < kTaps; ++i) shape.taps[i] = static_cast<float>(raw[i] / total);
    return shape;
}

void compare(const DevicePointer& device, const LossShape& shape, const float* drawn_on_host, const float* wanted_on_host, float* gradient_on_host, double* means) {
    const int64_t blocks = blocks_for(shape.count);
    const Buffer<float> drawn_buffer(device, drawn_on_host, shape.count), wanted_buffer(device, wanted_on_host, shape.count);
    const Buffer<float> fields(device, kThere * shape.count), slopes(device, kBack * shape.count), gradient(device, shape.count);
    const Buffer<double> parts(device, 2 * blocks);
    const float *drawn = drawn_buffer.get(), *wanted = wanted_buffer.get();
    launch(*device, blur_pictures, blocks, shape, drawn, wanted, fields.get());
    launch(*device, compare_blurred, blocks, shape, drawn, wanted, fields.get(), slopes.get(), parts.get());
    launch(*device, blur_slopes, blocks, shape, slopes.get(), fields.get());
    launch(*device, find_loss_gradient, blocks, shape, drawn, wanted, fields.get(), gradient.get());
    std::vector<double> sums(2 * blocks);
    parts.download(sums.data());
    gradient.download(gradient_on_host);
    device->wait();
    means[0] = means[1] = 0.0;
    for (int64_t i = 0; i < 2 * blocks; ++i) means[i % 2] += sums[i] / static_cast<double>(shape.count);
}

}  // namespace

extern "C" int32_t splat_cuda_open(int32_t i_device, SplatDevice** device, char* name, int32_t* capability) {
    try {
        int device_count = 0;
        check(cudaGetDeviceCount(&device_count));
        if (i_device < 0 || i_device >= device_count) return static_cast<int32_t>(device_count == 0 ? cudaErrorNoDevice : cudaErrorInvalidDevice);
        cudaDeviceProp properties;
        check(cudaGetDeviceProperties(&properties, i_device));
        std::snprintf(name, 256, "%s", properties.name);
        *capability = 10 * properties.major + properties.minor;
        DevicePointer opened = std::make_shared<Device>(i_device);
        cudaFuncAttributes attributes;  // fails where the library holds no code for this device
        check(cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(draw_tiles<false>)));
        *device = new SplatDevice{std::move(opened)};
        return 0;
    } catch (const Failure& failure) {
        return static_cast<int32_t>(failure.code);
    } catch (const std::bad_alloc&) {
        return -1;
    }
}

extern "C" void splat_cuda_close(SplatDevice* device) { delete device; }

extern "C" int32_t splat_cuda_prepare(SplatDevice* device, const SplatView* view, const SplatWorld* world, SplatDrawing** drawing, int64_t* totals) {
    return attempt(device->device, [&] {
        auto made = std::make_unique<SplatDrawing>(device->device, *view, *world);
        count_intersections(*made, totals);
        *drawing = made.release();
    });
}

extern "C" int32_t splat_cuda_draw(SplatDrawing* drawing, const SplatPicture* picture) {
    return attempt(drawing->device, [&] { draw(*drawing, *picture); });
}

extern "C" int32_t splat_cuda_differentiate(SplatDrawing* drawing, const SplatPicture* picture_gradients, const SplatGradients* gradients,
                                            uint8_t* is_seen) {
    return attempt(drawing->device, [&] { differentiate(*drawing, *picture_gradients, *gradients, is_seen); });
}

extern "C" void splat_cuda_forget(SplatDrawing* drawing) { delete drawing; }

extern "C" int32_t splat_cuda_loss(SplatDevice* device, int32_t width, int32_t height, float ssim_share, const float* drawn, const float* wanted,
                                   float* gradient, double* means) {
    return attempt(device->device, [&] { compare(device->device, shape_of(width, height, ssim_share), drawn, wanted, gradient, means); });
}

extern "C" int32_t splat_cuda_adam(SplatDevice* device, int64_t count, int32_t width, const float* step_sizes, float beta1, float beta2, float epsilon,
                                   float second_correction, const uint8_t* is_moved, const float* gradients, float* first, float* second, float* values) {
    const DevicePointer& where = device->device;
    return attempt(where, [&] {
        const AdamStep step{count * width, width, beta1, beta2, epsilon, 1.0f / std::sqrt(second_correction)};
        const Buffer<float> sizes(where, step_sizes, width), slopes(where, gradients, step.count);
        const Buffer<float> means(where, first, step.count), squares(where, second, step.count), moved(where, values, step.count);
        const Buffer<uint8_t> rows(where, is_moved, count);
        launch(*where, move_values, blocks_for(step.count), step, sizes.get(), rows.get(),
               slopes.get(), means.get(), squares.get(), moved.get());
        means.download(first);
        squares.download(second);
        moved.download(values);
    });
}

extern "C" const char* splat_cuda_describe(int32_t code) {
    return code < 0 ? "the host has no memory" : cudaGetErrorString(static_cast<cudaError_t>(code));
}

}  // namespace splat
