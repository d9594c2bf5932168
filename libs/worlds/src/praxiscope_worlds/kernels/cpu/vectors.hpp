// Sixteen floats at a time, by the vector extensions of GCC and Clang; a machine without 512-bit registers gets the same sums in halves or quarters.
//
// Masks are what the machine makes cheap: sixteen bits with AVX-512, sixteen words of all ones or none elsewhere.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace splat {

constexpr int kLanes = 16;

typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));
typedef float UnalignedFloats __attribute__((vector_size(64), aligned(4), may_alias));

#define SPLAT_INLINE inline __attribute__((always_inline))

SPLAT_INLINE Floats fill(float value) { return Floats{} + value; }
SPLAT_INLINE Floats load(const float* from) { return *reinterpret_cast<const UnalignedFloats*>(from); }
SPLAT_INLINE void store(float* to, Floats values) { *reinterpret_cast<UnalignedFloats*>(to) = values; }
SPLAT_INLINE Floats count_up() { return Floats{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; }

#ifdef __AVX512F__

typedef __mmask16 Mask;
SPLAT_INLINE Mask less(Floats a, Floats b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ); }
SPLAT_INLINE Mask at_least(Floats a, Floats b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GE_OQ); }
SPLAT_INLINE Mask both(Mask a, Mask b) { return a & b; }
SPLAT_INLINE unsigned bits(Mask mask) { return mask; }
SPLAT_INLINE Mask mask_of(unsigned bits_set) { return static_cast<Mask>(bits_set); }
SPLAT_INLINE Floats select(Mask mask, Floats yes, Floats no) {
    return (Floats)_mm512_mask_blend_ps(mask, (__m512)no, (__m512)yes);
}
SPLAT_INLINE Floats zero_unless(Mask mask, Floats yes) { return (Floats)_mm512_maskz_mov_ps(mask, (__m512)yes); }
SPLAT_INLINE Floats smaller(Floats a, Floats b) { return (Floats)_mm512_min_ps((__m512)a, (__m512)b); }
SPLAT_INLINE Floats larger(Floats a, Floats b) { return (Floats)_mm512_max_ps((__m512)a, (__m512)b); }
SPLAT_INLINE Floats root(Floats a) { return (Floats)_mm512_sqrt_ps((__m512)a); }
// 1 / a to 6e-5, an eighth of the time of a division.
SPLAT_INLINE Floats reciprocal(Floats a) { return (Floats)_mm512_rcp14_ps((__m512)a); }

#else

// GCC takes a vector apart lane by lane where the machine has no register for it and the operation is a comparison, a choice or a shuffle; these are said by halves.
struct Halves {
    __m256 low, high;
};
SPLAT_INLINE Halves halve(Floats a) {
    Halves halves;
    std::memcpy(&halves, &a, sizeof a);
    return halves;
}
SPLAT_INLINE Floats join(__m256 low, __m256 high) {
    const Halves halves = {low, high};
    Floats a;
    std::memcpy(&a, &halves, sizeof a);
    return a;
}

typedef Halves Mask;
template <int kComparison>
SPLAT_INLINE Mask compare(Floats a, Floats b) {
    const Halves x = halve(a), y = halve(b);
    return {_mm256_cmp_ps(x.low, y.low, kComparison), _mm256_cmp_ps(x.high, y.high, kComparison)};
}
SPLAT_INLINE Mask less(Floats a, Floats b) { return compare<_CMP_LT_OQ>(a, b); }
SPLAT_INLINE Mask at_least(Floats a, Floats b) { return compare<_CMP_GE_OQ>(a, b); }
SPLAT_INLINE Mask both(Mask a, Mask b) { return {_mm256_and_ps(a.low, b.low), _mm256_and_ps(a.high, b.high)}; }
SPLAT_INLINE unsigned bits(Mask mask) {
    return static_cast<unsigned>(_mm256_movemask_ps(mask.low)) | static_cast<unsigned>(_mm256_movemask_ps(mask.high)) << 8;
}
SPLAT_INLINE Mask mask_of(unsigned bits_set) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i low = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits_set)), bit);
    const __m256i high = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits_set >> 8)), bit);
    return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(low, bit)), _mm256_castsi256_ps(_mm256_cmpeq_epi32(high, bit))};
}
SPLAT_INLINE Floats select(Mask mask, Floats yes, Floats no) {
    const Halves x = halve(yes), y = halve(no);
    return join(_mm256_blendv_ps(y.low, x.low, mask.low), _mm256_blendv_ps(y.high, x.high, mask.high));
}
SPLAT_INLINE Floats zero_unless(Mask mask, Floats yes) {
    const Halves x = halve(yes);
    return join(_mm256_and_ps(x.low, mask.low), _mm256_and_ps(x.high, mask.high));
}
SPLAT_INLINE Floats smaller(Floats a, Floats b) {
    const Halves x = halve(a), y = halve(b);
    return join(_mm256_min_ps(x.low, y.low), _mm256_min_ps(x.high, y.high));
}
SPLAT_INLINE Floats larger(Floats a, Floats b) {
    const Halves x = halve(a), y = halve(b);
    return join(_mm256_max_ps(x.low, y.low), _mm256_max_ps(x.high, y.high));
}
SPLAT_INLINE Floats root(Floats a) {
    const Halves x = halve(a);
    return join(_mm256_sqrt_ps(x.low), _mm256_sqrt_ps(x.high));
}
SPLAT_INLINE Floats reciprocal(Floats a) { return 1.0f / a; }

#endif

// Two neighbours in memory, eight times over.
SPLAT_INLINE Floats fill_pairs(const float* pair) {
    double both;
    std::memcpy(&both, pair, sizeof both);
#ifdef __AVX512F__
    return (Floats)_mm512_set1_pd(both);
#else
    const __m256 pairs = _mm256_castpd_ps(_mm256_set1_pd(both));
    return join(pairs, pairs);
#endif
}
// Lanes of a, b, a, b, ...: the first and the second half of the sixteen pairs.
SPLAT_INLINE void store_pairs(float* to, Floats a, Floats b) {
#ifdef __AVX512F__
    store(to, __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    store(to + kLanes, __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
#else
    const Halves x = halve(a), y = halve(b);
    for (int i = 0; i < 2; ++i) {
        const __m256 first = _mm256_unpacklo_ps(i ? x.high : x.low, i ? y.high : y.low);
        const __m256 second = _mm256_unpackhi_ps(i ? x.high : x.low, i ? y.high : y.low);
        _mm256_storeu_ps(to + i * kLanes, _mm256_permute2f128_ps(first, second, 0x20));
        _mm256_storeu_ps(to + i * kLanes + 8, _mm256_permute2f128_ps(first, second, 0x31));
    }
#endif
}

// 2^a for a in [-126, 126]: a whole number goes to the exponent, the rest through a polynomial (least maximum relative error, 7.5e-8 for the fifth degree and
// 2.6e-6 for the fourth, found by Lawson's weights). With AVX-512 two instructions do what takes five without.
template <int kDegree>
SPLAT_INLINE Floats exp2_by(Floats a) {
    static_assert(kDegree == 4 || kDegree == 5);
#ifdef __AVX512F__
    constexpr float kTerms[2][6] = {{1.00000259f, 0.693003835f, 0.241442757f, 0.0520114612f, 0.0135341676f},
                                    {0.999999925f, 0.693153073f, 0.240153617f, 0.055826318f, 0.00898934016f, 0.00187757665f}};
    const Floats rest = (Floats)_mm512_reduce_ps((__m512)a, 1);  // a - floor(a)
#else
    constexpr float kTerms[2][6] = {{0.999999261f, 0.693121815f, 0.240247448f, 0.0559178603f, 0.0095701017f},
                                    {1.00000007f, 0.693146967f, 0.240221197f, 0.0555071327f, 0.00967554133f, 0.00132764718f}};
    constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest whole number in the last bits
    const Floats shifted = a + kRounder, rest = a - (shifted - kRounder);
#endif
    const float (&terms)[6] = kTerms[kDegree - 4];
    Floats value = fill(terms[kDegree]);
    for (int i = kDegree - 1; i >= 0; --i) value = value * rest + terms[i];
#ifdef __AVX512F__
    return (Floats)_mm512_scalef_ps((__m512)value, (__m512)a);
#else
    return (Floats)((Ints)value + ((Ints)shifted << 23));
#endif
}

SPLAT_INLINE Floats exp2_of(Floats a) { return exp2_by<5>(a); }

SPLAT_INLINE Floats clamp(Floats a, float low, float high) { return smaller(larger(a, fill(low)), fill(high)); }

// e^a, held within what a float can hold.
SPLAT_INLINE Floats exp_of(Floats a) { return exp2_of(clamp(a * 1.44269504f, -126.0f, 126.0f)); }

// log2(a) for normal a > 0, by the series of atanh on [sqrt(1/2), sqrt(2)]; absolute error 2e-7.
SPLAT_INLINE Floats log2_of(Floats a) {
    Ints pattern = (Ints)a;
    Ints exponent = (pattern - 0x3f3504f3) >> 23;
    Floats mantissa = (Floats)(pattern - (exponent << 23));
    Floats s = (mantissa - 1.0f) / (mantissa + 1.0f);
    Floats s2 = s * s;
    Floats series = s2 * (1.0f / 9.0f) + (1.0f / 7.0f);
    series = series * s2 + (1.0f / 5.0f);
    series = series * s2 + (1.0f / 3.0f);
    series = series * s2 + 1.0f;
    return __builtin_convertvector(exponent, Floats) + s * series * 2.88539008f;
}

// Sums of up to sixteen vectors at once: lane i of the result is the sum of all lanes of vector i. Halves are folded, so that sixteen vectors cost fifteen folds.
template <int kCount>
SPLAT_INLINE Floats sum_each(const Floats (&from)[kCount]) {
    static_assert(kCount <= kLanes);
#ifndef __AVX512F__
    __m256 folded[kLanes], sums[2];
    for (int i = 0; i < kLanes; ++i) {
        const Halves x = i < kCount ? halve(from[i < kCount ? i : 0]) : halve(Floats{});
        folded[i] = _mm256_add_ps(x.low, x.high);
    }
    for (int i = 0; i < 2; ++i) {
        const __m256* v = folded + 8 * i;
        const __m256 first = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
        const __m256 second = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
        sums[i] = _mm256_add_ps(_mm256_permute2f128_ps(first, second, 0x20), _mm256_permute2f128_ps(first, second, 0x31));
    }
    return join(sums[0], sums[1]);
#else
    Floats level[8];
    for (int i = 0; i < 8; ++i) {
        Floats a = 2 * i < kCount ? from[2 * i < kCount ? 2 * i : 0] : Floats{};
        Floats b = 2 * i + 1 < kCount ? from[2 * i + 1 < kCount ? 2 * i + 1 : 0] : Floats{};
        level[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                   __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
    Floats next[4];
    for (int i = 0; i < 4; ++i) {
        Floats a = level[2 * i], b = level[2 * i + 1];
        next[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
                  __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    }
    Floats last[2];
    for (int i = 0; i < 2; ++i) {
        Floats a = next[2 * i], b = next[2 * i + 1];
        last[i] = __builtin_shufflevector(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29) +
                  __builtin_shufflevector(a, b, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31);
    }
    return __builtin_shufflevector(last[0], last[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +
           __builtin_shufflevector(last[0], last[1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#endif
}

}  // namespace splat
