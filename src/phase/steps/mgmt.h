/* Google's half of the graph before Config Connector takes over, and what `bootstrap` makes: the APIs,
 * the management cluster with its network and accounts, Config Connector on it.
 *
 * These rows act before the deployment's lock is held, because the lock lives in the cluster they make;
 * fixed names, etags and fingerprints make two at once harmless. */
#ifndef RD_PHASE_STEPS_MGMT_H
#define RD_PHASE_STEPS_MGMT_H

#include "phase/steps/step.h"

void preflight_look(struct step_op *s, struct op *parent);

void apis_look(struct step_op *s, struct op *parent);
void apis_start(struct step_op *s, struct op *parent);

void quota_look(struct step_op *s, struct op *parent);

void mgmt_net_look(struct step_op *s, struct op *parent);
void mgmt_net_start(struct step_op *s, struct op *parent);
void mgmt_net_undo(struct step_op *s, struct op *parent);

void mgmt_accounts_look(struct step_op *s, struct op *parent);
void mgmt_accounts_start(struct step_op *s, struct op *parent);
void mgmt_accounts_undo(struct step_op *s, struct op *parent);

void mgmt_look(struct step_op *s, struct op *parent);
void mgmt_start(struct step_op *s, struct op *parent);
void mgmt_watch(struct step_op *s, struct op *parent);
void mgmt_undo(struct step_op *s, struct op *parent);

void cc_iam_look(struct step_op *s, struct op *parent);
void cc_iam_start(struct step_op *s, struct op *parent);
void cc_iam_undo(struct step_op *s, struct op *parent);

void cc_ready_look(struct step_op *s, struct op *parent);
void cc_ready_start(struct step_op *s, struct op *parent);
void cc_ready_undo(struct step_op *s, struct op *parent);

#endif
