/* Intrusive doubly linked list. A head and a node are the same struct; an unlinked node points at
 * itself, so removal is idempotent. */
#ifndef RD_BASE_LIST_H
#define RD_BASE_LIST_H

#include "base/macros.h"

struct rd_list {
    struct rd_list *prev, *next;
};

static inline void rd_list_init(struct rd_list *l)
{
    l->prev = l->next = l;
}

static inline bool rd_list_empty(const struct rd_list *l)
{
    return l->next == l;
}

static inline void rd_list_append(struct rd_list *head, struct rd_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void rd_list_remove(struct rd_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    rd_list_init(node);
}

#define rd_list_foreach(it, head) for (struct rd_list *it = (head)->next; it != (head); it = it->next)
/* `it` may be removed in the body. */
#define rd_list_foreach_safe(it, tmp, head)                                                        \
    for (struct rd_list *it = (head)->next, *tmp = it->next; it != (head); it = tmp, tmp = it->next)

#endif
