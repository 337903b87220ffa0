/* Kubernetes' protobuf bodies as JSON. */
#ifndef EMU_KUBE_PROTO_H
#define EMU_KUBE_PROTO_H

#include "server.h"

bool kube_proto_is(const struct emu_req *req);
/* Owned; NULL: malformed, or of a kind that is not known in this form. */
json_t *kube_proto_read(const struct emu_req *req);

#endif
