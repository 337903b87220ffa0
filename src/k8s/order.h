/* In which order objects are applied and deleted. Pure. Edges: namespaced after its Namespace; custom
 * resource after its CRD; workloads after the configuration, accounts, quota, policies and storage
 * of their namespace; bindings after roles and accounts; webhook configurations last. An edge means
 * "after that object was applied (for CRD: is served; for Namespace: exists)". */
#ifndef RD_K8S_ORDER_H
#define RD_K8S_ORDER_H

#include "base/json.h"

struct k8s_order {
    size_t count;      /* of objects */
    size_t *need_len;  /* per object */
    size_t **needs;    /* per object: indexes of objects it comes after */
};

/* objects[i] are borrowed only during the call. A cycle cannot arise: edges go between classes. */
void k8s_order_init(struct k8s_order *o, json_t *const *objects, size_t count);
void k8s_order_clear(struct k8s_order *o);

#endif
