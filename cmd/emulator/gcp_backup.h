/* Handlers of Filestore's backups; the routes are in gcp_file.c. */
#ifndef EMU_GCP_BACKUP_H
#define EMU_GCP_BACKUP_H

#include "ops.h"

void gcp_backup_create(struct gcp_call *c);
void gcp_backup_list(struct gcp_call *c);
void gcp_backup_get(struct gcp_call *c);
void gcp_backup_delete(struct gcp_call *c);

#endif
