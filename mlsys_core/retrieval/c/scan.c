/* Scans of inverted lists: of whole vectors, and of codes by tables. Lists lie one after the other; list l is offsets[l] … offsets[l + 1].

   Each writes the k nearest of every query and returns how many distances it computed. `heap` has room for k keys. */

int64_t scan_vectors(const float *queries, int64_t count, int64_t d, const int64_t *lists, int64_t probes, const int64_t *offsets,
                     const float *vectors, const int32_t *ids, int64_t k, sortable *heap, float *distances, int64_t *found)
{
    int64_t computed = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t n = 0;
        for (int64_t p = 0; p < probes; p++) {
            int64_t list = lists[i * probes + p];
            if (list < 0)
                continue;
            for (int64_t j = offsets[list]; j < offsets[list + 1]; j++)
                keep(heap, &n, k, pack(squared(queries + i * d, vectors + j * d, d), (uint32_t)ids[j]));
            computed += offsets[list + 1] - offsets[list];
        }
        ascend(heap, n);
        report(heap, n, k, distances + i * k, found + i * k);
    }
    return computed;
}

/* base + Σ table[j][code[j]] for the codes start … stop - 1 of m bytes; without ids a code's place is its number.
   Four sums side by side hide how long a read takes. */
static inline void scan_list(const float *table, int64_t m, int64_t size, const uint8_t *codes, const int32_t *ids, int64_t start,
                             int64_t stop, float base, int64_t k, sortable *heap, int64_t *n)
{
    for (int64_t i = start; i < stop; i++) {
        const uint8_t *code = codes + i * m;
        const float *row = table;
        float a = base, b = 0, c = 0, e = 0;
        int64_t j = 0;
        for (; j + 4 <= m; j += 4, row += 4 * size) {
            a += row[code[j]];
            b += row[size + code[j + 1]];
            c += row[2 * size + code[j + 2]];
            e += row[3 * size + code[j + 3]];
        }
        for (; j < m; j++, row += size)
            a += row[code[j]];
        float distance = (a + b) + (c + e);
        /* a sum of parts that was rounded may fall below what a distance can be */
        keep(heap, n, k, pack(distance > 0 ? distance : 0, ids ? (uint32_t)ids[i] : (uint32_t)i));
    }
}

/* tables (count, m, size): of each query, the squared distance of its part j to each centroid of part j. */
int64_t scan_codes(const float *tables, int64_t count, int64_t m, int64_t size, const uint8_t *codes, int64_t total, int64_t k,
                   sortable *heap, float *distances, int64_t *found)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t n = 0;
        scan_list(tables + i * m * size, m, size, codes, NULL, 0, total, 0, k, heap, &n);
        ascend(heap, n);
        report(heap, n, k, distances + i * k, found + i * k);
    }
    return count * total;
}

/* The same for codes of residuals: |q - c - r|² = |q - c|² + (|r|² + 2 c·r) - 2 q·r. `bases` (count, probes) has the first term, `terms`
   (lists, m, size) the second, `products` (count, m, size) the third; `table` has room for (m, size). */
int64_t scan_residuals(const float *products, int64_t count, int64_t m, int64_t size, const int64_t *lists, const float *bases,
                       int64_t probes, const float *terms, float *table, const int64_t *offsets, const uint8_t *codes,
                       const int32_t *ids, int64_t k, sortable *heap, float *distances, int64_t *found)
{
    int64_t computed = 0, whole = m * size;
    for (int64_t i = 0; i < count; i++) {
        int64_t n = 0;
        for (int64_t p = 0; p < probes; p++) {
            int64_t list = lists[i * probes + p];
            if (list < 0 || offsets[list] == offsets[list + 1])
                continue;
            for (int64_t j = 0; j < whole; j++)
                table[j] = terms[list * whole + j] + products[i * whole + j];
            scan_list(table, m, size, codes, ids, offsets[list], offsets[list + 1], bases[i * probes + p], k, heap, &n);
            computed += offsets[list + 1] - offsets[list];
        }
        ascend(heap, n);
        report(heap, n, k, distances + i * k, found + i * k);
    }
    return computed;
}

/* Of rows of m distances, those of the vectors start, start + 1, …, the `room` nearest join those that each row's heap holds. */
void keep_rows(const float *rows, int64_t count, int64_t m, int64_t start, int64_t room, int64_t *held, sortable *heaps)
{
    for (int64_t i = 0; i < count; i++) {
        sortable *heap = heaps + i * room;
        const float *row = rows + i * m;
        float limit = held[i] == room ? distance_of(heap[0]) : INFINITY;
        for (int64_t j = 0; j < m; j++)
            if (row[j] <= limit) {
                keep(heap, &held[i], room, pack(row[j], (uint32_t)(start + j)));
                limit = held[i] == room ? distance_of(heap[0]) : INFINITY;
            }
    }
}

void report_rows(int64_t count, int64_t room, const int64_t *held, sortable *heaps, float *distances, int64_t *found)
{
    for (int64_t i = 0; i < count; i++) {
        ascend(heaps + i * room, held[i]);
        report(heaps + i * room, held[i], room, distances + i * room, found + i * room);
    }
}
