/* Where a deployment's state lives on this machine. */
#ifndef RD_PHASE_DRIVE_PLACE_H
#define RD_PHASE_DRIVE_PLACE_H

#include "config/config.h"

/* STATE/PROJECT/DEPLOYMENT, where STATE is --state-dir, else $XDG_STATE_HOME/raydeploy, else
 * ~/.local/state/raydeploy. A local target's project is a digest of its API server's address, so that
 * two clusters with a deployment of one name do not share a journal. Owned; NULL with an
 * RD_ERR_INPUT error when there is no home at all. */
char *place_state_dir(const struct config *c, struct rd_err **reterr);

#endif
