// The host's side of the device: memory, launches and failures.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <utility>

namespace splat {

constexpr int kBlockSize = 256;

struct Failure {
    cudaError_t code;
};

inline void check(cudaError_t code) {
    if (code == cudaSuccess) return;
    cudaGetLastError();  // what one call was refused is not the next one's failure
    throw Failure{code};
}

// A stream, and a pool that keeps what was freed for the next call. Lives as long as the handle or any drawing does.
class Device {
  public:
    explicit Device(int i_device) : i_device_(i_device) {
        use();
        cudaMemPoolProps properties{};
        properties.allocType = cudaMemAllocationTypePinned;
        properties.location.type = cudaMemLocationTypeDevice;
        properties.location.id = i_device;
        check(cudaMemPoolCreate(&pool_, &properties));
        uint64_t keep = UINT64_MAX;
        cudaError_t code = cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep);
        if (code == cudaSuccess) code = cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
        if (code != cudaSuccess) cudaMemPoolDestroy(pool_);
        check(code);
    }
    ~Device() {
        cudaSetDevice(i_device_);
        cudaStreamDestroy(stream_);
        cudaMemPoolDestroy(pool_);
    }
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    // Which device a call goes to is a matter of the thread that makes it.
    void use() const { check(cudaSetDevice(i_device_)); }
    void wait() const { check(cudaStreamSynchronize(stream_)); }
    cudaStream_t stream() const { return stream_; }
    cudaMemPool_t pool() const { return pool_; }

  private:
    const int i_device_;
    cudaMemPool_t pool_ = nullptr;
    cudaStream_t stream_ = nullptr;
};

// Memory on the device, in the order of its stream: it may be let go of while kernels that were launched before still read it.
template <typename T>
class Buffer {
  public:
    Buffer() = default;
    Buffer(const std::shared_ptr<Device>& device, int64_t count) : device_(device), count_(count) {
        if (count == 0) return;
        void* memory = nullptr;
        check(cudaMallocFromPoolAsync(&memory, size(), device->pool(), device->stream()));
        values_ = static_cast<T*>(memory);
    }
    // With what lies at `from` on the host; a null is no memory.
    Buffer(const std::shared_ptr<Device>& device, const T* from, int64_t count) : Buffer(device, from == nullptr ? 0 : count) {
        if (count_ != 0) check(cudaMemcpyAsync(values_, from, size(), cudaMemcpyHostToDevice, device_->stream()));
    }
    ~Buffer() {
        if (values_ != nullptr) cudaFreeAsync(values_, device_->stream());
    }
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        swap(other);
        return *this;
    }

    T* get() const { return values_; }
    void clear() const {
        if (count_ != 0) check(cudaMemsetAsync(values_, 0, size(), device_->stream()));
    }
    void download(T* to) const {
        if (count_ != 0) check(cudaMemcpyAsync(to, values_, size(), cudaMemcpyDeviceToHost, device_->stream()));
    }

  private:
    size_t size() const { return static_cast<size_t>(count_) * sizeof(T); }
    void swap(Buffer& other) noexcept {
        std::swap(device_, other.device_);
        std::swap(values_, other.values_);
        std::swap(count_, other.count_);
    }

    std::shared_ptr<Device> device_;
    T* values_ = nullptr;
    int64_t count_ = 0;
};

// Runs a kernel in blocks of `kBlockSize` threads; none where there is nothing to do.
template <typename... Parameters, typename... Arguments>
void launch(const Device& device, void (*kernel)(Parameters...), int64_t block_count, Arguments... arguments) {
    if (block_count == 0) return;
    cudaLaunchConfig_t configuration{};
    configuration.gridDim = dim3(static_cast<unsigned>(block_count));
    configuration.blockDim = dim3(kBlockSize);
    configuration.stream = device.stream();
    check(cudaLaunchKernelEx(&configuration, kernel, arguments...));
}

// Blocks in which each of `count` things has a thread.
inline int64_t blocks_for(int64_t count) { return (count + kBlockSize - 1) / kBlockSize; }

__device__ inline int64_t thread_index() { return int64_t{blockIdx.x} * kBlockSize + threadIdx.x; }

}  // namespace splat
