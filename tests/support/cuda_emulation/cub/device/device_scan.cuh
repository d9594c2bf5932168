// Stands in for CUB's scan.
#pragma once

#include <cuda_runtime.h>

namespace cub {

struct DeviceScan {
    template <typename T>
    static cudaError_t ExclusiveSum(void* memory, size_t& size, const T* from, T* to, int count, cudaStream_t) {
        size = 1;
        if (memory == nullptr) return cudaSuccess;
        T sum{};
        for (int i = 0; i < count; ++i) to[i] = std::exchange(sum, sum + from[i]);
        return cudaSuccess;
    }
};

}  // namespace cub
