/* Between ws.c and ws_wire.c only. */
#ifndef RD_K8S_WS_WIRE_H
#define RD_K8S_WS_WIRE_H

#include "k8s/ws.h"

#define WS_READ_MAX ((size_t)64 << 10) /* room in k8s_ws.in */

/* False when the connection is gone. *ret_len 0: nothing for now. */
bool ws_receive(struct k8s_ws *w, char *into, size_t room, size_t *ret_len);
/* Sends what is queued until the socket is full. False when the connection is gone. */
bool ws_flush(struct k8s_ws *w);
/* Asks the loop for what is wanted next: bytes unless paused, room if any is queued. */
void ws_want(struct k8s_ws *w);
/* Appends one message, lead and data, as a single frame. Between wslay's frames, which it appends whole. */
void ws_frame_write(struct k8s_ws *w, const void *lead, size_t lead_len, const void *data, size_t len);
/* wslay takes over after the handshake. */
void ws_frames_open(struct k8s_ws *w);

#endif
