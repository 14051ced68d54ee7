/* Distances, keys that are ordered as (distance, number of the vector) is, and heaps of such keys.

   A float's bits, with the sign turned into an order, stand above the number of the vector in 64 bits. One comparison of whole
   numbers then says which of two is nearer, and of two that are equally near, which has the lower number: results do not depend on
   the order of visits. A heap of complements has the nearest on top instead of the farthest. */

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t sortable;
typedef float lanes __attribute__((vector_size(64)));
typedef float quarter __attribute__((vector_size(16)));

static inline lanes load(const float *from)
{
    lanes held;
    memcpy(&held, from, sizeof held);
    return held;
}

/* The sum of the squares of a - b: sixteen sums side by side, twice, and then what is left over. */
static inline float squared(const float *a, const float *b, int64_t d)
{
    union { lanes all; quarter part[4]; } sum = {{0}};
    lanes other = {0};
    int64_t j = 0;
    for (; j + 32 <= d; j += 32) {
        lanes x = load(a + j) - load(b + j), y = load(a + j + 16) - load(b + j + 16);
        sum.all += x * x;
        other += y * y;
    }
    for (; j + 16 <= d; j += 16) {
        lanes x = load(a + j) - load(b + j);
        sum.all += x * x;
    }
    sum.all += other;
    quarter four = (sum.part[0] + sum.part[1]) + (sum.part[2] + sum.part[3]);
    float total = (four[0] + four[1]) + (four[2] + four[3]);
    for (; j < d; j++)
        total += (a[j] - b[j]) * (a[j] - b[j]);
    return total;
}

static inline sortable pack(float distance, uint32_t id)
{
    uint32_t bits;
    memcpy(&bits, &distance, sizeof bits);
    bits ^= bits >> 31 ? 0xffffffffu : 0x80000000u;
    return (sortable)bits << 32 | id;
}

static inline float distance_of(sortable key)
{
    uint32_t bits = (uint32_t)(key >> 32);
    float distance;
    bits ^= bits >> 31 ? 0x80000000u : 0xffffffffu;
    memcpy(&distance, &bits, sizeof distance);
    return distance;
}

static inline int64_t id_of(sortable key) { return (int64_t)(uint32_t)key; }

/* Puts a key where it belongs, from the place `at` of a heap of n downward. */
static inline void sift_down(sortable *heap, int64_t n, int64_t at, sortable key)
{
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        child += child + 1 < n && heap[child + 1] > heap[child];
        if (heap[child] <= key)
            break;
        heap[at] = heap[child];
    }
    heap[at] = key;
}

static inline void push(sortable *heap, int64_t *n, sortable key)
{
    int64_t at = (*n)++;
    for (int64_t above; at > 0 && heap[above = (at - 1) / 2] < key; at = above)
        heap[at] = heap[above];
    heap[at] = key;
}

static inline sortable pop(sortable *heap, int64_t *n)
{
    sortable top = heap[0];
    int64_t left = --*n;
    if (left)
        sift_down(heap, left, 0, heap[left]);
    return top;
}

/* Keeps the `room` smallest of all keys that it is given. */
static inline void keep(sortable *heap, int64_t *n, int64_t room, sortable key)
{
    if (*n < room)
        push(heap, n, key);
    else if (key < heap[0])
        sift_down(heap, *n, 0, key);
}

/* From a heap to its keys in ascending order, in place. */
static void ascend(sortable *heap, int64_t n)
{
    while (n > 1) {
        sortable top = pop(heap, &n);
        heap[n] = top;
    }
}

/* Writes the k nearest of n ascending keys; where there are fewer, no vector at an infinite distance. */
static void report(const sortable *keys, int64_t n, int64_t k, float *distances, int64_t *ids)
{
    for (int64_t i = 0; i < k; i++) {
        distances[i] = i < n ? distance_of(keys[i]) : INFINITY;
        ids[i] = i < n ? id_of(keys[i]) : -1;
    }
}
