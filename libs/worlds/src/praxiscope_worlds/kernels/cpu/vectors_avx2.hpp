// Sixteen floats in two registers of AVX2; masks are sixteen words of all ones or none.
//
// A vector of sixteen by the compilers' extensions would do for arithmetic, but GCC keeps what is wider than a register in memory, and every operation goes there
// and back: four to seven times the time of a pair that says itself what its halves are.
#pragma once

namespace splat {

typedef float HalfFloats __attribute__((vector_size(32)));
typedef int32_t HalfInts __attribute__((vector_size(32)));

struct Floats {
    HalfFloats low, high;
};
struct Ints {
    HalfInts low, high;
};
typedef Floats Mask;

SPLAT_INLINE Floats fill(float value) { return {HalfFloats{} + value, HalfFloats{} + value}; }
SPLAT_INLINE Ints fill_ints(int32_t value) { return {HalfInts{} + value, HalfInts{} + value}; }
SPLAT_INLINE Floats load(const float* from) { return {(HalfFloats)_mm256_loadu_ps(from), (HalfFloats)_mm256_loadu_ps(from + 8)}; }
SPLAT_INLINE void store(float* to, Floats values) {
    _mm256_storeu_ps(to, (__m256)values.low);
    _mm256_storeu_ps(to + 8, (__m256)values.high);
}

#define SPLAT_OPERATOR(op)                                                                              \
    SPLAT_INLINE Floats operator op(Floats a, Floats b) { return {a.low op b.low, a.high op b.high}; }  \
    SPLAT_INLINE Floats operator op(Floats a, float b) { return {a.low op b, a.high op b}; }            \
    SPLAT_INLINE Floats operator op(float a, Floats b) { return {a op b.low, a op b.high}; }
SPLAT_OPERATOR(+)
SPLAT_OPERATOR(-)
SPLAT_OPERATOR(*)
SPLAT_OPERATOR(/)
#undef SPLAT_OPERATOR
SPLAT_INLINE Floats operator-(Floats a) { return {-a.low, -a.high}; }
SPLAT_INLINE Floats& operator+=(Floats& a, Floats b) { return a = a + b; }
SPLAT_INLINE Floats& operator-=(Floats& a, Floats b) { return a = a - b; }
SPLAT_INLINE Floats& operator*=(Floats& a, Floats b) { return a = a * b; }

SPLAT_INLINE Ints operator+(Ints a, Ints b) { return {a.low + b.low, a.high + b.high}; }
SPLAT_INLINE Ints operator-(Ints a, Ints b) { return {a.low - b.low, a.high - b.high}; }
SPLAT_INLINE Ints operator-(Ints a, int32_t b) { return {a.low - b, a.high - b}; }
SPLAT_INLINE Ints operator|(Ints a, Ints b) { return {a.low | b.low, a.high | b.high}; }
SPLAT_INLINE Ints operator<<(Ints a, int count) { return {a.low << count, a.high << count}; }
SPLAT_INLINE Ints operator>>(Ints a, int count) { return {a.low >> count, a.high >> count}; }

// The same bits as another type, and the nearest value of another type towards 0.
SPLAT_INLINE Ints as_ints(Floats a) { return {(HalfInts)a.low, (HalfInts)a.high}; }
SPLAT_INLINE Floats as_floats(Ints a) { return {(HalfFloats)a.low, (HalfFloats)a.high}; }
SPLAT_INLINE Ints to_ints(Floats a) { return {(HalfInts)_mm256_cvttps_epi32((__m256)a.low), (HalfInts)_mm256_cvttps_epi32((__m256)a.high)}; }
SPLAT_INLINE Floats to_floats(Ints a) { return {(HalfFloats)_mm256_cvtepi32_ps((__m256i)a.low), (HalfFloats)_mm256_cvtepi32_ps((__m256i)a.high)}; }

template <int kComparison>
SPLAT_INLINE Mask compare(Floats a, Floats b) {
    return {(HalfFloats)_mm256_cmp_ps((__m256)a.low, (__m256)b.low, kComparison), (HalfFloats)_mm256_cmp_ps((__m256)a.high, (__m256)b.high, kComparison)};
}
SPLAT_INLINE Mask less(Floats a, Floats b) { return compare<_CMP_LT_OQ>(a, b); }
SPLAT_INLINE Mask at_least(Floats a, Floats b) { return compare<_CMP_GE_OQ>(a, b); }
SPLAT_INLINE Mask at_least(Ints a, Ints b) { return as_floats({a.low >= b.low, a.high >= b.high}); }
SPLAT_INLINE Mask both(Mask a, Mask b) {
    return {(HalfFloats)_mm256_and_ps((__m256)a.low, (__m256)b.low), (HalfFloats)_mm256_and_ps((__m256)a.high, (__m256)b.high)};
}
SPLAT_INLINE unsigned bits(Mask mask) {
    return static_cast<unsigned>(_mm256_movemask_ps((__m256)mask.low)) | static_cast<unsigned>(_mm256_movemask_ps((__m256)mask.high)) << 8;
}
SPLAT_INLINE Mask mask_of(unsigned bits_set) {
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i low = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits_set)), bit);
    const __m256i high = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits_set >> 8)), bit);
    return {(HalfFloats)_mm256_cmpeq_epi32(low, bit), (HalfFloats)_mm256_cmpeq_epi32(high, bit)};
}
SPLAT_INLINE Floats select(Mask mask, Floats yes, Floats no) {
    return {(HalfFloats)_mm256_blendv_ps((__m256)no.low, (__m256)yes.low, (__m256)mask.low),
            (HalfFloats)_mm256_blendv_ps((__m256)no.high, (__m256)yes.high, (__m256)mask.high)};
}
SPLAT_INLINE Floats zero_unless(Mask mask, Floats yes) { return both(mask, yes); }

SPLAT_INLINE Floats smaller(Floats a, Floats b) {
    return {(HalfFloats)_mm256_min_ps((__m256)a.low, (__m256)b.low), (HalfFloats)_mm256_min_ps((__m256)a.high, (__m256)b.high)};
}
SPLAT_INLINE Floats larger(Floats a, Floats b) {
    return {(HalfFloats)_mm256_max_ps((__m256)a.low, (__m256)b.low), (HalfFloats)_mm256_max_ps((__m256)a.high, (__m256)b.high)};
}
SPLAT_INLINE Ints smaller(Ints a, Ints b) {
    return {(HalfInts)_mm256_min_epi32((__m256i)a.low, (__m256i)b.low), (HalfInts)_mm256_min_epi32((__m256i)a.high, (__m256i)b.high)};
}
SPLAT_INLINE Ints larger(Ints a, Ints b) {
    return {(HalfInts)_mm256_max_epi32((__m256i)a.low, (__m256i)b.low), (HalfInts)_mm256_max_epi32((__m256i)a.high, (__m256i)b.high)};
}
SPLAT_INLINE Floats root(Floats a) { return {(HalfFloats)_mm256_sqrt_ps((__m256)a.low), (HalfFloats)_mm256_sqrt_ps((__m256)a.high)}; }
SPLAT_INLINE Floats reciprocal(Floats a) { return 1.0f / a; }

// Two neighbours in memory, eight times over.
SPLAT_INLINE Floats fill_pairs(const float* pair) {
    double both;
    std::memcpy(&both, pair, sizeof both);
    const HalfFloats pairs = (HalfFloats)_mm256_set1_pd(both);
    return {pairs, pairs};
}

// Lanes of a, b, a, b, ...: the first and the second half of the sixteen pairs.
SPLAT_INLINE void store_pairs(float* to, Floats a, Floats b) {
    const __m256 halves[2][2] = {{(__m256)a.low, (__m256)b.low}, {(__m256)a.high, (__m256)b.high}};
    for (int i = 0; i < 2; ++i) {
        const __m256 first = _mm256_unpacklo_ps(halves[i][0], halves[i][1]), second = _mm256_unpackhi_ps(halves[i][0], halves[i][1]);
        _mm256_storeu_ps(to + i * kLanes, _mm256_permute2f128_ps(first, second, 0x20));
        _mm256_storeu_ps(to + i * kLanes + 8, _mm256_permute2f128_ps(first, second, 0x31));
    }
}

// Eight values of one row and eight of another, in turns; and back.
SPLAT_INLINE Floats load_in_turns(const float* first, const float* second) {
    const __m256 a = _mm256_loadu_ps(first), b = _mm256_loadu_ps(second);
    const __m256 even = _mm256_unpacklo_ps(a, b), odd = _mm256_unpackhi_ps(a, b);
    return {(HalfFloats)_mm256_permute2f128_ps(even, odd, 0x20), (HalfFloats)_mm256_permute2f128_ps(even, odd, 0x31)};
}
SPLAT_INLINE void store_in_turns(float* first, float* second, Floats values) {
    const __m256 a = _mm256_shuffle_ps((__m256)values.low, (__m256)values.high, 0x88), b = _mm256_shuffle_ps((__m256)values.low, (__m256)values.high, 0xdd);
    _mm256_storeu_pd(reinterpret_cast<double*>(first), _mm256_permute4x64_pd(_mm256_castps_pd(a), 0xd8));
    _mm256_storeu_pd(reinterpret_cast<double*>(second), _mm256_permute4x64_pd(_mm256_castps_pd(b), 0xd8));
}

// Writes base, base + 1, ... of the lanes whose bits are set, and up to seven words more; returns how many count.
SPLAT_INLINE int store_lanes(int32_t* to, unsigned bits_set, int32_t base) {
    struct Table {
        constexpr Table() : lanes{} {
            for (int set = 0; set < 256; ++set)
                for (int lane = 0, place = 0; lane < 8; ++lane)
                    if (set >> lane & 1) lanes[set][place++] = static_cast<uint8_t>(lane);
        }
        uint8_t lanes[256][8];
    };
    static constexpr Table kTable;
    int count = 0;
    for (int half = 0; half < 2; ++half) {
        const unsigned set = bits_set >> 8 * half & 0xff;
        const __m256i lanes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(kTable.lanes[set])));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + count), _mm256_add_epi32(lanes, _mm256_set1_epi32(base + 8 * half)));
        count += __builtin_popcount(set);
    }
    return count;
}

// 2^a for a in [-126, 126]: a whole number goes to the exponent, the rest through a polynomial (least maximum relative error, 7.5e-8 for the fifth degree and
// 2.6e-6 for the fourth, found by Lawson's weights).
template <int kDegree>
SPLAT_INLINE Floats exp2_by(Floats a) {
    static_assert(kDegree == 4 || kDegree == 5);
    constexpr float kTerms[2][6] = {{0.999999261f, 0.693121815f, 0.240247448f, 0.0559178603f, 0.0095701017f},
                                    {1.00000007f, 0.693146967f, 0.240221197f, 0.0555071327f, 0.00967554133f, 0.00132764718f}};
    constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest whole number in the last bits
    const float (&terms)[6] = kTerms[kDegree - 4];
    const Floats shifted = a + kRounder, rest = a - (shifted - kRounder);
    Floats value = fill(terms[kDegree]);
    for (int i = kDegree - 1; i >= 0; --i) value = value * rest + terms[i];
    return as_floats(as_ints(value) + (as_ints(shifted) << 23));
}

// Sums of up to sixteen vectors at once: lane i of the result is the sum of all lanes of vector i. Halves are folded, so that sixteen vectors cost fifteen folds.
template <int kCount>
SPLAT_INLINE Floats sum_each(const Floats (&from)[kCount]) {
    static_assert(kCount <= kLanes);
    __m256 folded[kLanes], sums[2];
    for (int i = 0; i < kLanes; ++i) folded[i] = i < kCount ? _mm256_add_ps((__m256)from[i < kCount ? i : 0].low, (__m256)from[i < kCount ? i : 0].high) : _mm256_setzero_ps();
    for (int i = 0; i < 2; ++i) {
        const __m256* v = folded + 8 * i;
        const __m256 first = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
        const __m256 second = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
        sums[i] = _mm256_add_ps(_mm256_permute2f128_ps(first, second, 0x20), _mm256_permute2f128_ps(first, second, 0x31));
    }
    return {(HalfFloats)sums[0], (HalfFloats)sums[1]};
}

}  // namespace splat
