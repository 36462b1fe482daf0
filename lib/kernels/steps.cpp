// Gradient steps of a network: what is left of one between its matrix products, in as few passes as there can be.
//
// Numbers are rows (n, width); a hidden layer's g is a linear spline, or a ReLU where it has no control points.
// Everything goes block by block, so that what one loop writes is still in the nearest cache when the next one reads it.

#include <algorithm>
#include <cmath>

#include "kernels.cpp"

namespace {

constexpr int64_t NEAR = 2048;  // numbers per block

template <class T> struct Activation {
    std::vector<Pair<T>> table;
    Call<T> call;

    Activation(const T* psi, int64_t points, double low, double high)
        : table(points ? table_of(psi, points, points) : std::vector<Pair<T>>()),
          call{nullptr, nullptr, nullptr, nullptr, 0, (int)points, (T)low, (T)high, (T)((points - 1) / (high - low)),
               table.data(), nullptr, 0, nullptr, 1} {}

    // a = g(z) and slope = g'(z); slope may be z.
    void operator()(const T* z, T* a, T* slope, int64_t count) {
        if (call.points) {
            call.z = call.r = z, call.out = a, call.out2 = slope, call.n = count;
            return run<BOTH>(call);
        }
        for (int64_t j = 0; j < count; j++) {
            const T value = z[j];
            a[j] = value > 0 || value != value ? value : T(0);
            slope[j] = value > 0 ? T(1) : T(0);
        }
    }
};

// The sums of columns: of a block first, then of the blocks, which keeps rounding small.
template <class T> struct ColumnSums {
    std::vector<T> block;
    T* total;
    ColumnSums(T* sums, int64_t width) : block(width), total(sums) { std::fill_n(sums, width, T(0)); }
    void add_block() {
        for (size_t j = 0; j < block.size(); j++) total[j] += block[j], block[j] = 0;
    }
};

// a = g(z + bias), slope = g'(z + bias), where z are rows, or for pairs (n, 2) of one-hot operands the sums of two rows.
template <class T>
void forward(const T* from, const int64_t* pairs, const T* bias, const T* psi, T* a, T* slope, int64_t n, int64_t width,
             int64_t points, double low, double high) {
    Activation<T> g(psi, points, low, high);
    const int64_t rows = width < NEAR ? NEAR / width : 1;
    std::vector<T> z(rows * width);
    for (int64_t first = 0; first < n; first += rows) {
        const int64_t count = first + rows < n ? rows : n - first;
        for (int64_t i = 0; i < count; i++) {
            T* __restrict row = z.data() + i * width;
            if (pairs) {
                const T *left = from + pairs[2 * (first + i)] * width, *right = from + pairs[2 * (first + i) + 1] * width;
                for (int64_t j = 0; j < width; j++) row[j] = left[j] + right[j] + bias[j];
            } else {
                const T* x = from + (first + i) * width;
                for (int64_t j = 0; j < width; j++) row[j] = x[j] + bias[j];
            }
        }
        g(z.data(), a + first * width, slope + first * width, count * width);
    }
}

// delta *= slope; its column sums are the gradient of the bias.
template <class T> void backward(T* delta, const T* slope, T* bias, int64_t n, int64_t width) {
    ColumnSums<T> sums(bias, width);
    const int64_t rows = width < NEAR ? NEAR / width : 1;
    for (int64_t first = 0; first < n; first += rows) {
        const int64_t end = first + rows < n ? first + rows : n;
        for (int64_t i = first; i < end; i++) {
            T *__restrict d = delta + i * width, *__restrict sum = sums.block.data();
            const T* __restrict s = slope + i * width;
            for (int64_t j = 0; j < width; j++) d[j] *= s[j], sum[j] += d[j];
        }
        sums.add_block();
    }
}

// The same for pairs (n, 2) of one-hot operands: the rows of delta slope, summed by operand, are the gradient of the
// weights (inputs, width), and half the sum of those is the gradient of the bias.
template <class T>
void scatter(const T* delta, const T* slope, const int64_t* pairs, T* weights, T* bias, int64_t n, int64_t width,
             int64_t inputs) {
    std::fill_n(weights, inputs * width, T(0));
    for (int64_t i = 0; i < n; i++) {
        const T *__restrict d = delta + i * width, *__restrict s = slope + i * width;
        T *__restrict left = weights + pairs[2 * i] * width, *__restrict right = weights + pairs[2 * i + 1] * width;
        if (left == right)
            for (int64_t j = 0; j < width; j++) left[j] += 2 * d[j] * s[j];
        else
            for (int64_t j = 0; j < width; j++) {
                const T x = d[j] * s[j];
                left[j] += x;
                right[j] += x;
            }
    }
    std::fill_n(bias, width, T(0));
    for (int64_t i = 0; i < inputs; i++)
        for (int64_t j = 0; j < width; j++) bias[j] += T(0.5) * weights[i * width + j];
}

// outputs += bias; delta = scale (outputs - targets), and its column sums.
template <class T>
void squared(T* outputs, const T* bias, const T* y, T* delta, T* sums, int64_t n, int64_t width, double scale) {
    std::fill_n(sums, width, T(0));
    for (int64_t i = 0; i < n; i++) {
        T *__restrict out = outputs + i * width, *__restrict d = delta + i * width, *__restrict sum = sums;
        const T* __restrict target = y + i * width;
        for (int64_t j = 0; j < width; j++) {
            out[j] += bias[j];
            d[j] = (out[j] - target[j]) * (T)scale;
            sum[j] += d[j];
        }
    }
}

// From the pre-activations z of the last hidden layer through a single output and its loss back to z, row by row:
// outputs (n, 1), z becomes the derivative in z, and the gradients of the layer's bias and of the output's weights.
template <class T>
void head(T* z, const T* bias, const T* psi, const T* w, const T* c, const T* y, T* outputs, T* bias_gradient,
          T* w_gradient, T* c_gradient, int64_t n, int64_t width, int64_t points, double low, double high, int logistic) {
    Activation<T> g(psi, points, low, high);
    const int64_t rows = width < NEAR ? NEAR / width : 1;
    std::vector<T> a(rows * width);
    ColumnSums<T> for_bias(bias_gradient, width), for_w(w_gradient, width);
    double for_c = 0;
    for (int64_t first = 0; first < n; first += rows) {
        const int64_t count = first + rows < n ? rows : n - first;
        T* block = z + first * width;
        for (int64_t i = 0; i < count; i++) {
            T* __restrict row = block + i * width;
            for (int64_t j = 0; j < width; j++) row[j] += bias[j];
        }
        g(block, a.data(), block, count * width);
        for (int64_t i = 0; i < count; i++) {
            const T* __restrict row = a.data() + i * width;
            T* __restrict slope = block + i * width;
            T *__restrict sum_w = for_w.block.data(), *__restrict sum_bias = for_bias.block.data();
            const T out = dot(row, w, width) + *c, target = y[first + i];
            outputs[first + i] = out;
            const T delta = (logistic ? 1 / (1 + std::exp(-out)) - target : 2 * (out - target)) / n;
            for_c += delta;
            for (int64_t j = 0; j < width; j++) {
                sum_w[j] += delta * row[j];
                slope[j] *= delta * w[j];
                sum_bias[j] += slope[j];
            }
        }
        for_w.add_block();
        for_bias.add_block();
    }
    *c_gradient = for_c;
}

// One step of lib.training.Optimiser in place, on all weights as one vector.
template <class T>
void update(int rule, T* __restrict p, const T* __restrict g, T* __restrict mean, T* __restrict square, int64_t n,
            double lr, double momentum, double correction) {
    const T rate = lr, m = momentum, root = 1 / correction;
    if (rule == 0) for (int64_t i = 0; i < n; i++) p[i] -= rate * g[i];
    if (rule == 1) for (int64_t i = 0; i < n; i++) mean[i] = g[i] + m * mean[i], p[i] -= rate * mean[i];
    if (rule == 2)
        for (int64_t i = 0; i < n; i++) {
            square[i] = T(0.99) * square[i] + T(1 - 0.99) * g[i] * g[i];
            p[i] -= rate * g[i] / (std::sqrt(square[i]) + T(1e-8));
        }
    if (rule == 3)
        for (int64_t i = 0; i < n; i++) {
            mean[i] += T(0.1) * (g[i] - mean[i]);
            square[i] = T(0.999) * square[i] + T(1 - 0.999) * g[i] * g[i];
            p[i] -= rate * mean[i] / (std::sqrt(square[i]) * root + T(1e-8));
        }
}

}  // namespace

extern "C" {
EXPORT(forward, forward)
EXPORT(backward, backward)
EXPORT(scatter, scatter)
EXPORT(squared, squared)
EXPORT(head, head)
EXPORT(update, update)
}
