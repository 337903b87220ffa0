/* The permissions that raydeploy itself needs, as docs/permissions.md lists them. */
#include "phase/steps/mgmt_plan.h"

#include "base/alloc.h"

#include <string.h>

#define UP MGMT_FOR_UP
#define BOOT MGMT_FOR_BOOTSTRAP

const struct mgmt_permission mgmt_permissions[] = {
    {"resourcemanager.projects.get", "roles/browser", UP | BOOT},
    {"serviceusage.services.list", "roles/serviceusage.serviceUsageViewer", UP | BOOT},
    {"serviceusage.services.enable", "roles/serviceusage.serviceUsageAdmin", BOOT},
    {"compute.regions.get", "roles/compute.viewer", UP | BOOT},
    {"compute.zones.list", "roles/compute.viewer", UP | BOOT},
    {"compute.projects.get", "roles/compute.viewer", UP | BOOT},
    {"compute.machineTypes.get", "roles/compute.viewer", UP | BOOT},
    {"compute.acceleratorTypes.get", "roles/compute.viewer", UP | BOOT},
    {"compute.networks.get", "roles/compute.viewer", UP | BOOT},
    {"compute.subnetworks.get", "roles/compute.viewer", UP | BOOT},
    {"compute.routers.get", "roles/compute.viewer", UP},
    {"compute.networks.create", "roles/compute.networkAdmin", BOOT},
    {"compute.networks.updatePolicy", "roles/compute.networkAdmin", BOOT},
    {"compute.networks.delete", "roles/compute.networkAdmin", BOOT},
    {"compute.subnetworks.create", "roles/compute.networkAdmin", BOOT},
    {"compute.subnetworks.delete", "roles/compute.networkAdmin", BOOT},
    {"container.clusters.get", "roles/container.admin", UP | BOOT},
    {"container.clusters.list", "roles/container.admin", UP | BOOT},
    {"container.clusters.connect", "roles/container.admin", UP | BOOT},
    {"container.operations.get", "roles/container.admin", UP | BOOT},
    {"container.operations.list", "roles/container.admin", UP | BOOT},
    {"container.namespaces.create", "roles/container.admin", UP | BOOT},
    {"container.customResourceDefinitions.create", "roles/container.admin", UP},
    {"container.clusterRoles.create", "roles/container.admin", UP},
    {"container.clusters.create", "roles/container.admin", BOOT},
    {"container.clusters.update", "roles/container.admin", BOOT},
    {"container.clusters.delete", "roles/container.admin", BOOT},
    {"iam.serviceAccounts.get", "roles/iam.serviceAccountViewer", UP | BOOT},
    {"iam.serviceAccounts.create", "roles/iam.serviceAccountAdmin", BOOT},
    {"iam.serviceAccounts.delete", "roles/iam.serviceAccountAdmin", BOOT},
    {"iam.serviceAccounts.getIamPolicy", "roles/iam.serviceAccountAdmin", BOOT},
    {"iam.serviceAccounts.setIamPolicy", "roles/iam.serviceAccountAdmin", BOOT},
    {"iam.serviceAccounts.actAs", "roles/iam.serviceAccountUser", BOOT},
    {"resourcemanager.projects.getIamPolicy", "roles/resourcemanager.projectIamAdmin", BOOT},
    {"resourcemanager.projects.setIamPolicy", "roles/resourcemanager.projectIamAdmin", BOOT},
    {"file.instances.get", "roles/file.viewer", UP},
    {"file.instances.list", "roles/file.viewer", UP},
    {"storage.buckets.get", "roles/storage.admin", UP},
    {"artifactregistry.repositories.get", "roles/artifactregistry.reader", UP},
    {NULL, NULL, 0},
};

size_t mgmt_permission_names(unsigned purpose, const char **names)
{
    size_t n = 0;
    for (size_t i = 0; mgmt_permissions[i].name; i++)
        if (mgmt_permissions[i].purpose & purpose)
            names[n++] = mgmt_permissions[i].name;
    RD_ASSERT(n <= 100);
    return n;
}

static bool granted(const json_t *answer, const char *name)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(answer, "permissions"), i, one)
        if (rd_streq(json_string_value(one), name))
            return true;
    return false;
}

struct rd_err *mgmt_permissions_missing(unsigned purpose, const json_t *answer, const char *who,
                                        const char *project)
{
    RD_AUTOBUF struct rd_buf list = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    struct rd_strv roles = {NULL, 0};
    for (size_t i = 0; mgmt_permissions[i].name; i++) {
        const struct mgmt_permission *p = &mgmt_permissions[i];
        if (!(p->purpose & purpose) || granted(answer, p->name))
            continue;
        rd_buf_printf(&list, "%s%s (%s)", list.len ? ", " : "", p->name, p->role);
        if (!rd_strv_has(&roles, p->role))
            rd_strv_add(&roles, p->role);
    }
    if (!list.len)
        return NULL;
    struct rd_err *err = rd_err_new(RD_ERR_CREDENTIALS, "%s may not: %s", who, rd_buf_str(&list));
    RD_AUTOBUF struct rd_buf wanted = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    for (size_t i = 0; i < roles.len; i++)
        rd_buf_printf(&wanted, "%s%s", i ? ", " : "", roles.v[i]);
    rd_err_hint(err, "Have an administrator of project %s grant it: %s. Nothing was changed.",
                project, rd_buf_str(&wanted));
    rd_err_resource(err, "projects/%s", project);
    rd_strv_clear(&roles);
    return err;
}
