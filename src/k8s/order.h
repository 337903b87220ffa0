/* In which order objects are applied and deleted. Pure. Edges of apply: namespaced after its
 * Namespace; custom resource after its CRD; workloads and custom resources after the configuration,
 * accounts, quota, policies, roles, bindings and storage of their namespace and after the
 * cluster-wide ones; bindings after roles and accounts; an APIService after what serves it and
 * before what it serves; webhook configurations last. An edge means "after that object was applied
 * (for CRD: is served; for Namespace: exists)". Source: reference kubernetes-client 7.2.
 *
 * Deleting goes the other way, with one more rule: custom resources go before workloads, so that
 * the operator that has to act on their finalizers is still there. An edge means "after that object
 * is gone". */
#ifndef RD_K8S_ORDER_H
#define RD_K8S_ORDER_H

#include "base/json.h"

struct k8s_order {
    size_t count;     /* of objects */
    size_t *need_len; /* per object */
    size_t **needs;   /* per object: indexes of objects it comes after; ascending. Objects with the
                       * same   needs share one array, so memory stays linear in the objects */
    size_t **lists;   /* owned: the distinct arrays */
    size_t list_count;
};

/* objects[i] are borrowed only during the call. A cycle cannot arise: edges go between classes. */
void k8s_order_init(struct k8s_order *o, json_t *const *objects, size_t count);
void k8s_order_init_delete(struct k8s_order *o, json_t *const *objects, size_t count);
void k8s_order_clear(struct k8s_order *o);

#endif
