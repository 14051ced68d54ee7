/* The layered graph: the same steps as in hnsw.py, which explains them, on the same arrays. */

typedef struct {
    const float *vectors; /* (n, d) */
    const int32_t *levels; /* (n,) the highest layer of each */
    int32_t *ground; /* (n, 2 M) links of layer 0, and -1 where there is none */
    const int64_t *above; /* (n,) the first row of each in `upper` */
    int32_t *upper; /* (rows, M) links of the layers 1, 2, … */
    uint32_t *seen; /* (n,) the last search that saw it; zeros at first */
    sortable *open; /* (n + 1) what is still to be followed, the nearest on top */
    sortable *near; /* (max(ef, 2 M) + 1) the nearest found, the farthest of them on top */
    sortable *sorted; /* (max(ef, 2 M) + 1) */
    int32_t *batch; /* (2 M) */
    int64_t d, m, ef, entry, computed, searches;
} graph;

static inline int64_t room_of(const graph *g, int64_t level) { return level ? g->m : 2 * g->m; }

static inline int32_t *links_of(const graph *g, int64_t node, int64_t level)
{
    return level ? g->upper + (g->above[node] + level - 1) * g->m : g->ground + node * 2 * g->m;
}

static inline float between(graph *g, const float *from, int64_t node)
{
    g->computed++;
    return squared(from, g->vectors + node * g->d, g->d);
}

/* Numbers a search, so that nothing has to be wiped before it; wipes once in 2³² of them. */
static void begin(graph *g, int64_t nodes)
{
    if ((uint32_t)++g->searches == 0) {
        memset(g->seen, 0, (size_t)nodes * sizeof *g->seen);
        g->searches++;
    }
}

/* From `found` keys in `near` to the `ef` nearest that links of one layer lead to, in `near` again; returns how many. */
static int64_t search_layer(graph *g, const float *query, int64_t found, int64_t ef, int64_t level, int64_t nodes)
{
    int64_t waiting = 0, room = room_of(g, level);
    begin(g, nodes);
    uint32_t stamp = (uint32_t)g->searches;
    for (int64_t i = 0; i < found; i++) {
        g->seen[id_of(g->near[i])] = stamp;
        push(g->open, &waiting, ~g->near[i]);
    }
    while (waiting) {
        sortable next = ~pop(g->open, &waiting);
        if (found == ef && next > g->near[0])
            break;
        const int32_t *links = links_of(g, id_of(next), level);
        int64_t fresh = 0;
        for (int64_t j = 0; j < room && links[j] >= 0; j++)
            if (g->seen[links[j]] != stamp) {
                g->seen[links[j]] = stamp;
                g->batch[fresh++] = links[j];
                for (int64_t at = 0; at < g->d; at += 16)
                    __builtin_prefetch(g->vectors + links[j] * g->d + at);
            }
        for (int64_t j = 0; j < fresh; j++) {
            sortable key = pack(between(g, query, g->batch[j]), (uint32_t)g->batch[j]);
            if (found < ef || key < g->near[0]) {
                push(g->open, &waiting, ~key);
                keep(g->near, &found, ef, key);
            }
        }
    }
    return found;
}

/* Of n ascending keys, those that are nearer to the new node than to every one chosen before, at most `room`, or all where there is room to
   spare; the rest of the row is -1. */
static int64_t select_neighbors(graph *g, const sortable *ascending, int64_t n, int64_t room, int32_t *row)
{
    int64_t chosen = 0;
    for (int64_t i = 0; i < n && chosen < room; i++) {
        const float *candidate = g->vectors + id_of(ascending[i]) * g->d;
        float distance = distance_of(ascending[i]);
        int64_t j = n < room ? chosen : 0;
        while (j < chosen && between(g, candidate, row[j]) >= distance)
            j++;
        if (j == chosen)
            row[chosen++] = (int32_t)id_of(ascending[i]);
    }
    for (int64_t i = chosen; i < room; i++)
        row[i] = -1;
    return chosen;
}

/* A link from `node` to `to`; where its row is full, the best of all that it then would have. */
static void link_back(graph *g, int64_t node, int64_t to, int64_t level)
{
    int64_t room = room_of(g, level), n = 0;
    int32_t *row = links_of(g, node, level);
    while (n < room && row[n] >= 0)
        n++;
    if (n < room) {
        row[n] = (int32_t)to;
        return;
    }
    const float *at = g->vectors + node * g->d;
    int64_t count = 0;
    push(g->sorted, &count, pack(between(g, at, to), (uint32_t)to));
    for (int64_t j = 0; j < room; j++)
        push(g->sorted, &count, pack(between(g, at, row[j]), (uint32_t)row[j]));
    ascend(g->sorted, count);
    select_neighbors(g, g->sorted, count, room, row);
}

/* The nearest of the entry point's layers above `level`, alone in `near`. */
static int64_t descend(graph *g, const float *query, int64_t level, int64_t nodes)
{
    int64_t found = 1;
    g->near[0] = pack(between(g, query, g->entry), (uint32_t)g->entry);
    for (int64_t at = g->levels[g->entry]; at > level; at--)
        found = search_layer(g, query, found, 1, at, nodes);
    return found;
}

static void insert(graph *g, int64_t node, int64_t nodes)
{
    const float *query = g->vectors + node * g->d;
    int64_t level = g->levels[node], top = g->levels[g->entry];
    int64_t found = descend(g, query, level, nodes);
    for (int64_t at = level < top ? level : top; at >= 0; at--) {
        int32_t *row = links_of(g, node, at);
        found = search_layer(g, query, found, g->ef, at, nodes);
        memcpy(g->sorted, g->near, (size_t)found * sizeof *g->near);
        ascend(g->sorted, found);
        int64_t chosen = select_neighbors(g, g->sorted, found, room_of(g, at), row);
        for (int64_t j = 0; j < chosen; j++)
            link_back(g, row[j], node, at);
    }
    if (level > top)
        g->entry = node;
}

/* Links the nodes start … stop - 1, whose levels are drawn and whose rows are -1. */
void hnsw_add(graph *g, int64_t start, int64_t stop)
{
    for (int64_t node = start; node < stop; node++)
        if (g->entry < 0)
            g->entry = node;
        else
            insert(g, node, stop);
}

void hnsw_search(graph *g, const float *queries, int64_t count, int64_t k, int64_t nodes, float *distances, int64_t *ids)
{
    for (int64_t i = 0; i < count; i++) {
        const float *query = queries + i * g->d;
        int64_t found = descend(g, query, 0, nodes);
        found = search_layer(g, query, found, g->ef, 0, nodes);
        ascend(g->near, found);
        report(g->near, found, k, distances + i * k, ids + i * k);
    }
}
