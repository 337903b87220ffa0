/* A binary heap of ops by time. Slots count from 1 so that zeroed memory is in no heap. */
#include "loop/internal.h"

#include "base/alloc.h"

static void heap_put(struct loop *l, size_t i, struct op *op)
{
    l->heap[i] = op;
    op->heap_slot = i + 1;
}

static void heap_up(struct loop *l, size_t i)
{
    struct op *op = l->heap[i];
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (l->heap[parent]->heap_at_ms <= op->heap_at_ms)
            break;
        heap_put(l, i, l->heap[parent]);
        i = parent;
    }
    heap_put(l, i, op);
}

static void heap_down(struct loop *l, size_t i)
{
    struct op *op = l->heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= l->heap_len)
            break;
        if (child + 1 < l->heap_len && l->heap[child + 1]->heap_at_ms < l->heap[child]->heap_at_ms)
            child++;
        if (op->heap_at_ms <= l->heap[child]->heap_at_ms)
            break;
        heap_put(l, i, l->heap[child]);
        i = child;
    }
    heap_put(l, i, op);
}

static void heap_remove(struct loop *l, struct op *op)
{
    size_t i = op->heap_slot - 1;
    RD_ASSERT(i < l->heap_len);
    RD_ASSERT(l->heap[i] == op);
    op->heap_slot = 0;
    op->heap_at_ms = RD_NEVER;
    struct op *last = l->heap[--l->heap_len];
    if (last == op)
        return;
    heap_put(l, i, last);
    heap_up(l, i);
    heap_down(l, last->heap_slot - 1);
}

void heap_set(struct loop *l, struct op *op, uint64_t at_ms)
{
    if (at_ms == RD_NEVER) {
        if (op->heap_slot != 0)
            heap_remove(l, op);
        return;
    }
    if (op->heap_slot == 0) {
        if (l->heap_len == l->heap_cap) {
            l->heap_cap = l->heap_cap == 0 ? 64 : 2 * l->heap_cap;
            l->heap = rd_reallocarray(l->heap, l->heap_cap, sizeof *l->heap);
        }
        op->heap_at_ms = at_ms;
        heap_put(l, l->heap_len++, op);
        heap_up(l, l->heap_len - 1);
        return;
    }
    op->heap_at_ms = at_ms;
    heap_up(l, op->heap_slot - 1);
    heap_down(l, op->heap_slot - 1);
}

struct op *heap_first(const struct loop *l)
{
    return l->heap_len == 0 ? NULL : l->heap[0];
}
