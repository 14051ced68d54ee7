/* The nearest of k centroids, where vectors are short: a matrix product would write k numbers for each of them and read them again.

   columns (d, k) has the centroids side by side, half (k) half of their squares; k is a multiple of 64, and what fills it up has an
   infinite half. Sixty-four of half - x·c are computed side by side in registers, and per lane the least so far and its place are kept. */

typedef int32_t ints __attribute__((vector_size(64)));

void nearest_centroids(const float *vectors, int64_t n, int64_t d, const float *columns, const float *half, int64_t k, int64_t *nearest)
{
    for (int64_t i = 0; i < n; i++) {
        lanes best = (lanes){0} + INFINITY;
        ints place = {0};
        for (int64_t c = 0; c < k; c += 64) {
            lanes sum[4] = {load(half + c), load(half + c + 16), load(half + c + 32), load(half + c + 48)};
            for (int64_t j = 0; j < d; j++) {
                lanes x = (lanes){0} + vectors[i * d + j];
                const float *row = columns + j * k + c;
                sum[0] -= x * load(row);
                sum[1] -= x * load(row + 16);
                sum[2] -= x * load(row + 32);
                sum[3] -= x * load(row + 48);
            }
            for (int32_t t = 0; t < 4; t++) {
                ints less = sum[t] < best;
                best = (lanes)(((ints)sum[t] & less) | ((ints)best & ~less));
                place = (((ints){0} + (int32_t)c + 16 * t) & less) | (place & ~less);
            }
        }
        int64_t chosen = place[0];
        float least = best[0];
        for (int64_t lane = 1; lane < 16; lane++)
            if (best[lane] < least || (best[lane] == least && place[lane] + lane < chosen)) {
                least = best[lane];
                chosen = place[lane] + lane;
            }
        nearest[i] = chosen;
    }
}
