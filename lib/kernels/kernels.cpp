// Linear-spline kernels for the CPU: plain C++ with raw pointers, compiled at first use by native.py.
//
// One entry point per dtype does one of six things to n contiguous elements z:
//   VALUE      out = g(z)                        SLOPE     out = r g'(z)
//   BOTH       out = g(z), out2 = g'(z)          HAT_SUM   sums of r hat_j(z)
//   SLOPE_SUM  sums of r hat_j'(z)               BACKWARD  SLOPE and HAT_SUM in one pass
// `inner` consecutive elements share one row of psi (rows, points). A row is looked up in registers when it has at most
// 128 points and the CPU has AVX-512, else in a table of (value, difference) pairs. Sums are accumulated in float64 in
// several private copies, so that neighbours that fall on the same piece do not wait for each other.

#include <cstdint>
#include <vector>
#ifdef __AVX512F__
#include <immintrin.h>
#endif
#define EXPORT(name, function) auto name##_float32 = function<float>; auto name##_float64 = function<double>;
#define KEEP_SCALAR(x) asm("" : "+r"(x))  // gather instructions are slower than loads on most CPUs
#ifdef __clang__
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")  // an element of out depends on the same element of the inputs alone
#endif

namespace {

enum Op { VALUE, SLOPE, BOTH, HAT_SUM, SLOPE_SUM, BACKWARD };
constexpr int BLOCK = 256, COPIES = 4;

constexpr bool sums(int op) { return op >= HAT_SUM; }
constexpr bool reads_table(int op) { return op <= BOTH || op == BACKWARD; }

template <class T> struct Pair { T base, difference; };
typedef double Sum __attribute__((vector_size(16)));  // of r, and of fraction r, where the piece starts at this point

template <class T> struct Call {
    const T *z, *r;
    T *out, *out2;
    int64_t n;
    int points;
    T low, high, scale;       // scale: pieces per unit of z
    const Pair<T>* table;     // the row (or all rows) of psi
    Sum* sum;                 // COPIES copies, `stride` apart
    int64_t stride;
    const int* offsets;       // of the row of each element in the table, with period `rows`; or null
    int64_t rows;
};

// Add m elements to their sums, one by one: conflicts make vectors slower here.
template <class Element> inline void accumulate(const int* k, Element element, int m, Sum* sum, int64_t stride) {
    int j = 0;
    for (; j + COPIES <= m; j += COPIES)
        for (int copy = 0; copy < COPIES; copy++) sum[copy * stride + k[j + copy]] += element(j + copy);
    for (; j < m; j++) sum[k[j]] += element(j);
}

#ifdef __AVX512F__
// t[k] for a table of 16 R entries in registers.
template <int R> inline __m512 look_up(const __m512* t, __m512i k) {
    if constexpr (R == 1) return _mm512_permutexvar_ps(k, t[0]);
    else if constexpr (R == 2) return _mm512_permutex2var_ps(t[0], k, t[1]);
    else return _mm512_mask_blend_ps(_mm512_test_epi32_mask(k, _mm512_set1_epi32(8 * R)),
                                     look_up<R / 2>(t, k), look_up<R / 2>(t + R / 2, k));
}

// The base and the difference of 16 pieces; from memory for R = 0.
template <int R>
inline void look_up(const Pair<float>* table, const __m512* bases, const __m512* differences, __m512i k, __m512& base,
                    __m512& difference) {
    if constexpr (R > 0) {
        base = look_up<R>(bases, k);
        difference = look_up<R>(differences, k);
    } else {
        const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        const __m512 low = _mm512_castpd_ps(_mm512_i32gather_pd(_mm512_castsi512_si256(k), table, 8));
        const __m512 high = _mm512_castpd_ps(_mm512_i32gather_pd(_mm512_extracti64x4_epi64(k, 1), table, 8));
        base = _mm512_permutex2var_ps(low, even, high);
        difference = _mm512_permutex2var_ps(low, _mm512_add_epi32(even, _mm512_set1_epi32(1)), high);
    }
}

template <int OP, int R> void in_registers(const Call<float>& c) {
    __m512 bases[R + 1], differences[R + 1];
    for (int i = 0; i < R; i++) {
        float b[16], d[16];
        for (int j = 0; j < 16; j++) {
            const bool in = reads_table(OP) && 16 * i + j < c.points;
            b[j] = in ? c.table[16 * i + j].base : 0;
            d[j] = in ? c.table[16 * i + j].difference : 0;
        }
        bases[i] = _mm512_loadu_ps(b);
        differences[i] = _mm512_loadu_ps(d);
    }
    const __m512 low = _mm512_set1_ps(c.low), high = _mm512_set1_ps(c.high), scale = _mm512_set1_ps(c.scale);
    const __m512 zero = _mm512_setzero_ps(), top = _mm512_set1_ps(c.points - 1);
    const __m512i order = _mm512_setr_epi32(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);  // that unpack makes
    alignas(64) int at[BLOCK];
    alignas(64) float element[2 * BLOCK];  // r and fraction r
    for (int64_t start = 0; start < c.n; start += BLOCK) {
        const int m = c.n - start < BLOCK ? c.n - start : BLOCK;
        for (int j = 0; j < m; j += 16) {
            const int64_t i = start + j;
            const __mmask16 on = m - j >= 16 ? 0xffff : (1u << (m - j)) - 1;
            const __m512 z = _mm512_maskz_loadu_ps(on, c.z + i);
            // max and min return their second argument when either is NaN
            const __m512 u = _mm512_min_ps(top, _mm512_max_ps(zero, _mm512_mul_ps(_mm512_sub_ps(z, low), scale)));
            __m512i k = _mm512_cvttps_epi32(u);
            if (sums(OP) || R == 0) k = _mm512_max_epi32(k, _mm512_setzero_si512());  // NaN
            const __m512 fraction = _mm512_sub_ps(u, _mm512_cvtepi32_ps(k));
            const __mmask16 inside = _mm512_cmp_ps_mask(z, low, _CMP_GE_OQ) & _mm512_cmp_ps_mask(z, high, _CMP_LE_OQ);
            const __m512 r = OP == VALUE || OP == BOTH ? zero : _mm512_maskz_loadu_ps(on, c.r + i);
            __m512 base = zero, d = zero;
            if (reads_table(OP)) look_up<R>(c.table, bases, differences, k, base, d);
            if (OP == VALUE || OP == BOTH)
                _mm512_mask_storeu_ps(c.out + i, on, _mm512_fmadd_ps(fraction, d, base));
            if (OP == BOTH) _mm512_mask_storeu_ps(c.out2 + i, on, _mm512_maskz_mul_ps(inside, d, scale));
            if (OP == SLOPE || OP == BACKWARD)
                _mm512_mask_storeu_ps(c.out + i, on, _mm512_maskz_mul_ps(inside, r, _mm512_mul_ps(d, scale)));
            if (sums(OP)) {
                const __m512 all = OP == SLOPE_SUM ? _mm512_maskz_mov_ps(inside, r) : r, right = _mm512_mul_ps(fraction, r);
                _mm512_store_si512(at + j, _mm512_permutexvar_epi32(order, k));
                _mm512_store_ps(element + 2 * j, _mm512_unpacklo_ps(all, right));
                _mm512_store_ps(element + 2 * j + 16, _mm512_unpackhi_ps(all, right));
            }
        }
        if (sums(OP))  // beyond m, the elements are 0
            accumulate(at, [&](int j) { return Sum(_mm_cvtps_pd(_mm_castpd_ps(_mm_load_sd((double*)element + j)))); },
                       (m + 15) / 16 * 16, c.sum, c.stride);
    }
}

template <int OP> void by_registers(const Call<float>& c) {
    if (c.points <= 16 || !reads_table(OP)) in_registers<OP, 1>(c);
    else if (c.points <= 32) in_registers<OP, 2>(c);
    else if (c.points <= 64) in_registers<OP, 4>(c);
    else if (c.points <= 128) in_registers<OP, 8>(c);
    else in_registers<OP, 0>(c);
}
#endif

// Any number of points and rows, any CPU: blocks of elements, in loops that compilers vectorise.
template <int OP, class T> void in_blocks(const Call<T>& c) {
    T fraction[BLOCK], difference[BLOCK], weight[BLOCK];
    int k[BLOCK];
    const T low = c.low, high = c.high, scale = c.scale, top = c.points - 1;
    for (int64_t i = 0, column = 0; i < c.n; i += BLOCK) {
        const int m = c.n - i < BLOCK ? c.n - i : BLOCK;
        const T *__restrict z = c.z + i, *r = c.r + i;
        T *out = c.out + i, *__restrict out2 = c.out2 + i;  // for SLOPE, out may be r
        for (int j = 0; j < m; j++) {
            T u = (z[j] - low) * scale;
            u = u < 0 ? 0 : u;  // in this form NaN stays NaN
            u = u > top ? top : u;
            k[j] = (int)(u == u ? u : 0);
            fraction[j] = u - k[j];
        }
        if (c.offsets) {
            for (int j = 0; j < m; j++) k[j] += c.offsets[column + j];
            column = (column + BLOCK) % c.rows;
        }
        if (reads_table(OP))
            for (int j = 0; j < m; j++) {
                int at = k[j];
                KEEP_SCALAR(at);
                const Pair<T> p = c.table[at];
                if (OP == VALUE || OP == BOTH) out[j] = p.base + fraction[j] * p.difference;
                difference[j] = p.difference;
            }
        if (OP == BOTH)
            for (int j = 0; j < m; j++) out2[j] = (z[j] >= low) & (z[j] <= high) ? difference[j] * scale : T(0);
        if (OP == SLOPE || OP == BACKWARD) {
            INDEPENDENT
            for (int j = 0; j < m; j++) {
                const T product = r[j] * (difference[j] * scale);
                out[j] = (z[j] >= low) & (z[j] <= high) ? product : T(0);
            }
        }
        if (sums(OP)) {
            for (int j = 0; j < m; j++) {
                const T all = r[j];
                weight[j] = OP != SLOPE_SUM || ((z[j] >= low) & (z[j] <= high)) ? all : T(0);
                fraction[j] *= weight[j];
            }
            accumulate(k, [&](int j) { return Sum{(double)weight[j], (double)fraction[j]}; }, m, c.sum, c.stride);
        }
    }
}

template <int OP, class T> void run(const Call<T>& c) {
#ifdef __AVX512F__
    if constexpr (sizeof(T) == 4)
        if (!c.offsets) return by_registers<OP>(c);
#endif
    in_blocks<OP>(c);
}

template <class T> void dispatch(int op, const Call<T>& c) {
    constexpr void (*runs[])(const Call<T>&) = {run<VALUE>,   run<SLOPE>,     run<BOTH>,
                                                run<HAT_SUM>, run<SLOPE_SUM>, run<BACKWARD>};  // in the order of Op
    runs[op](c);
}

// (value, difference) at each of `size` control points, in rows of `points`.
template <class T> std::vector<Pair<T>> table_of(const T* psi, int64_t size, int64_t points) {
    std::vector<Pair<T>> table(size);
    for (int64_t i = 0; i < size; i++) {
        const int64_t left = (i + 1) % points ? i : i - 1;  // the last point has the slope of the last piece
        table[i] = {psi[i], psi[left + 1] - psi[left]};
    }
    return table;
}

template <class T>
void spline(int op, const T* z, const T* psi, const T* r, T* out, T* out2, int64_t n, int64_t inner, int64_t rows,
            int64_t points, double low, double high) {
    const double scale = (points - 1) / (high - low);
    const int64_t size = rows * points;
    Call<T> c{z, r, out, out2, n, (int)points, (T)low, (T)high, (T)scale, nullptr, nullptr, size, nullptr, rows};
    std::vector<Pair<T>> table;
    std::vector<Sum> sum;
    std::vector<int> offsets;
    if (reads_table(op)) {
        table = table_of(psi, size, points);
        c.table = table.data();
    }
    if (sums(op)) {
        // neighbours in different columns cannot meet: one copy
        c.stride = rows >= COPIES && inner == 1 ? 0 : size;
        sum.resize(c.stride ? COPIES * size : size);
        c.sum = sum.data();
    }
    if (n && rows > 1 && inner == 1) {  // one row per column
        offsets.resize(rows + BLOCK);
        for (int64_t i = 0; i < rows + BLOCK; i++) offsets[i] = i % rows * points;
        c.offsets = offsets.data();
        dispatch(op, c);
    } else if (rows > 1) {  // runs of `inner` elements
        for (int64_t i = 0; i < n; i += inner) {
            const int64_t row = i / inner % rows * points;
            Call<T> part{z + i, r + i, out + i, out2 + i, inner, c.points, c.low, c.high, c.scale,
                         c.table + row, c.sum + row, size, nullptr, 1};
            dispatch(op, part);
        }
    } else if (n) {  // without elements, rows may be 0; sums are still written
        dispatch(op, c);
    }
    if (!sums(op)) return;
    T* result = op == BACKWARD ? out2 : out;
    for (int64_t i = 0; i < size; i++)
        for (int copy = 1; c.stride && copy < COPIES; copy++) sum[i] += sum[copy * size + i];
    for (int64_t row = 0; row < size; row += points) {
        Sum* s = sum.data() + row;
        s[points - 1][1] = 0;
        if (op == SLOPE_SUM) s[points - 2] += s[points - 1], s[points - 1] = Sum{};  // z == high
        for (int64_t k = 0; k < points; k++) {
            if (op == SLOPE_SUM) result[row + k] = ((k ? s[k - 1][0] : 0) - s[k][0]) * scale;
            else result[row + k] = s[k][0] - s[k][1] + (k ? s[k - 1][1] : 0);
        }
    }
}

template <class T> T dot(const T* __restrict a, const T* __restrict b, int64_t n) {
    T sums[16] = {};  // independent, so that they fill vectors
    int64_t j = 0;
    for (; j + 16 <= n; j += 16)
        for (int k = 0; k < 16; k++) sums[k] += a[j + k] * b[j + k];
    for (; j < n; j++) sums[0] += a[j] * b[j];
    for (int half = 8; half; half /= 2)
        for (int k = 0; k < half; k++) sums[k] += sums[k + half];
    return sums[0];
}

// Outputs of a network with one hidden layer on straight paths, whose ends its first layer has mapped to `from` and `to`
// (paths, width): out (paths, steps) = bias + weights . g(from + t (to - from)), weights (paths, width), bias (paths).
// A few steps at a time, so that everything stays in the nearest cache.
template <class T>
void along_paths(const T* from, const T* to, const T* psi, const T* weights, const T* bias, T* out, int64_t paths,
                 int64_t width, int64_t steps, int64_t points, double low, double high) {
    const double scale = (points - 1) / (high - low);
    const std::vector<Pair<T>> table = table_of(psi, points, points);
    const int64_t rows = width < 2048 ? 2048 / width : 1;  // steps at a time
    std::vector<T> z(rows * width), g(rows * width);
    for (int64_t path = 0; path < paths; path++) {
        const T *__restrict a = from + path * width, *__restrict b = to + path * width, *w = weights + path * width;
        for (int64_t first = 0; first < steps; first += rows) {
            const int64_t count = first + rows < steps ? rows : steps - first;
            for (int64_t i = 0; i < count; i++) {
                const T t = (T)(first + i) / (T)(steps - 1);
                T* __restrict row = z.data() + i * width;
                for (int64_t j = 0; j < width; j++) row[j] = a[j] + t * (b[j] - a[j]);
            }
            Call<T> call{z.data(), z.data(), g.data(), g.data(), count * width, (int)points, (T)low, (T)high, (T)scale,
                         table.data(), nullptr, 0, nullptr, 1};
            run<VALUE>(call);
            for (int64_t i = 0; i < count; i++) {
                const T* __restrict row = g.data() + i * width;
                out[path * steps + first + i] = dot(row, w, width) + bias[path];
            }
        }
    }
}

}  // namespace

extern "C" {

const char* spline_backend() {
#if defined(__AVX512F__)
    return "cpp-avx512";
#elif defined(__AVX2__)
    return "cpp-avx2";
#else
    return "cpp";
#endif
}

EXPORT(spline, spline)
EXPORT(paths, along_paths)
}
