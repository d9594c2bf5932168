// Sixteen floats at a time: the arithmetic that the kernels are written in. What a machine has for it stands in a file for each: one register with AVX-512, two
// with AVX2. Both give the same names the same meaning; their sums may differ in the last bit.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#define SPLAT_INLINE inline __attribute__((always_inline))

namespace splat {

constexpr int kLanes = 16;

}  // namespace splat

#ifdef __AVX512F__
#include "vectors_avx512.hpp"
#else
#include "vectors_avx2.hpp"
#endif

namespace splat {

SPLAT_INLINE Floats count_up() {
    alignas(64) static constexpr float kNumbers[kLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return load(kNumbers);
}

SPLAT_INLINE void store_ints(int32_t* to, Ints values) { std::memcpy(to, &values, sizeof values); }

SPLAT_INLINE Floats exp2_of(Floats a) { return exp2_by<5>(a); }

SPLAT_INLINE Floats clamp(Floats a, float low, float high) { return smaller(larger(a, fill(low)), fill(high)); }

// e^a, held within what a float can hold.
SPLAT_INLINE Floats exp_of(Floats a) { return exp2_of(clamp(a * 1.44269504f, -126.0f, 126.0f)); }

// log2(a) for normal a > 0, by the series of atanh on [sqrt(1/2), sqrt(2)]; absolute error 2e-7.
SPLAT_INLINE Floats log2_of(Floats a) {
    Ints pattern = as_ints(a);
    Ints exponent = (pattern - 0x3f3504f3) >> 23;
    Floats mantissa = as_floats(pattern - (exponent << 23));
    Floats s = (mantissa - 1.0f) / (mantissa + 1.0f);
    Floats s2 = s * s;
    Floats series = s2 * (1.0f / 9.0f) + (1.0f / 7.0f);
    series = series * s2 + (1.0f / 5.0f);
    series = series * s2 + (1.0f / 3.0f);
    series = series * s2 + 1.0f;
    return to_floats(exponent) + s * series * 2.88539008f;
}

// The nearest whole number at or below, at or above a, for a in [-2, 2^22].
SPLAT_INLINE Ints floor_of(Floats a) { return to_ints(a + 4.0f) - 4; }
SPLAT_INLINE Ints ceil_of(Floats a) {
    const Ints below = floor_of(a);
    return below + as_ints(zero_unless(less(to_floats(below), a), as_floats(fill_ints(1))));
}

}  // namespace splat
