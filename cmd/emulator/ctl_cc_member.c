/* IAMPolicyMember: one member of one role in one resource's policy, by read, change and write. */
#include "ctl_cc.h"

#include <stdlib.h>
#include <string.h>

enum { RACES_MAX = 8, RACE_MS = 300 };

/* Whose policy it is. */
struct place {
    const char *api, *read_method, *write_method;
    char *read, *write; /* owned */
    bool wrapped;       /* {"policy": ...} */
    bool project;
};

static void place_clear(struct place *p)
{
    free(p->read);
    free(p->write);
}

static bool place_of(const struct cc_item *i, struct place *p)
{
    const char *kind = cc_text(i, "resourceRef.kind");
    const char *text = cc_ref_text(i, "resourceRef");
    const char *project = cc_project(i);
    *p = (struct place){.read_method = "POST", .write_method = "POST", .wrapped = true};
    if (text == NULL)
        return false;
    RD_AUTOFREE char *name = NULL;
    if (rd_streq(kind, "Project")) {
        p->api = "cloudresourcemanager";
        p->project = true;
        name = rd_starts_with(text, "projects/") ? rd_strdup(text)
                                                 : rd_asprintf("projects/%s", text);
    } else if (rd_streq(kind, "IAMServiceAccount")) {
        p->api = "iam";
        name = rd_starts_with(text, "projects/")
                   ? rd_strdup(text)
                   : rd_asprintf("projects/%s/serviceAccounts/%s@%s.iam.gserviceaccount.com",
                                 project, text, project);
    } else if (rd_streq(kind, "StorageBucket")) {
        p->api = "storage";
        p->read_method = "GET";
        p->write_method = "PUT";
        p->wrapped = false;
        p->read = rd_asprintf("/storage/v1/b/%s/iam?optionsRequestedPolicyVersion=3", text);
        p->write = rd_asprintf("/storage/v1/b/%s/iam", text);
        return true;
    } else if (rd_streq(kind, "ArtifactRegistryRepository")) {
        RD_AUTOFREE char *resource = cc_resource(cc_kind_of(kind));
        const json_t *repository =
            kube_get(i->w->c, resource, i->ns, cc_text(i, "resourceRef.name"));
        const char *full = rd_json_path_str(repository, "status.name");
        p->api = "artifactregistry";
        p->read_method = "GET";
        name = rd_strdup(full != NULL ? full : text);
    } else {
        return false;
    }
    p->read = rd_asprintf("/v1/%s:getIamPolicy%s", name,
                          rd_streq(p->api, "cloudresourcemanager")
                              ? ""
                              : "?options.requestedPolicyVersion=3");
    p->write = rd_asprintf("/v1/%s:setIamPolicy", name);
    return true;
}

static char *member_text(const struct cc_item *i)
{
    const char *member = cc_text(i, "member");
    const char *email = cc_ref_text(i, "memberFrom.serviceAccountRef");
    if (member != NULL)
        return rd_strdup(member);
    if (email != NULL && strchr(email, '@') == NULL)
        return rd_asprintf("serviceAccount:%s@%s.iam.gserviceaccount.com", email, cc_project(i));
    return email == NULL ? NULL : rd_asprintf("serviceAccount:%s", email);
}

/* Adds or takes out the member in place; true: the policy is another one now. */
static bool change(const struct cc_item *i, json_t *policy, bool add)
{
    const char *role = cc_text(i, "role");
    json_t *condition = rd_json_path(json_object_get(i->object, "spec"), "condition");
    RD_AUTOFREE char *member = member_text(i);
    json_t *bindings = json_object_get(policy, "bindings");
    if (!json_is_array(bindings)) {
        bindings = json_array();
        json_object_set_new(policy, "bindings", bindings);
    }
    for (size_t n = 0; n < json_array_size(bindings); n++) {
        json_t *binding = json_array_get(bindings, n);
        json_t *members = json_object_get(binding, "members");
        json_t *has = json_object_get(binding, "condition");
        if (!rd_streq(rd_json_str(binding, "role", NULL), role) ||
            ((has != NULL || condition != NULL) && !json_equal(has, condition)))
            continue;
        for (size_t k = json_array_size(members); k-- > 0;) {
            if (!rd_streq(json_string_value(json_array_get(members, k)), member))
                continue;
            if (add)
                return false;
            json_array_remove(members, k);
            if (json_array_size(members) == 0)
                json_array_remove(bindings, n);
            return true;
        }
        if (add) {
            json_array_append_new(members, json_string(member));
            return true;
        }
    }
    if (!add)
        return false;
    json_t *binding = rd_json_pack("{s:s, s:[s]}", "role", role, "members", member);
    if (condition != NULL)
        json_object_set(binding, "condition", condition);
    json_array_append_new(bindings, binding);
    return true;
}

static void policy_call(struct cc_item *i, bool write, json_t *take_policy,
                        void (*next)(struct cc_item *, int, const json_t *));
static void read_policy(struct cc_item *i);

static void on_race(struct emu_timer *t)
{
    read_policy(container_of(t, struct cc_item, timer));
}

static void fail(struct cc_item *i, int status, const json_t *body)
{
    RD_AUTOFREE char *text = cc_error(status, body);
    if (ctl_deleting(i->object))
        cc_delete_failed(i, "error deleting policy member: error applying changes: summary: Error "
                            "applying IAM policy for %s: %s",
                         cc_text(i, "resourceRef.kind"), text);
    else
        cc_fail(i,
                "error setting policy member: error applying changes: summary: Error applying IAM "
                "policy for %s: Error setting IAM policy: %s",
                cc_text(i, "resourceRef.kind"), text);
}

static void written(struct cc_item *i, int status, const json_t *body)
{
    if ((status == 409 || status == 412) && i->tries++ < RACES_MAX)
        emu_timer_start(&i->w->e->clock, &i->timer, emu_jitter(i->w->e, RACE_MS, 60), on_race);
    else if (status / 100 != 2)
        fail(i, status, body);
    else if (ctl_deleting(i->object))
        cc_gone(i);
    else
        cc_ready(i, NULL);
}

static void have_policy(struct cc_item *i, int status, const json_t *body)
{
    bool deleting = ctl_deleting(i->object);
    if (status == 404 && deleting) {
        cc_gone(i);
        return;
    }
    if (status / 100 != 2) {
        fail(i, status, body);
        return;
    }
    json_t *policy = json_deep_copy(body);
    static const char *const extra[] = {"kind", "resourceId", "selfLink"};
    for (size_t n = 0; n < RD_ARRAY_LEN(extra); n++)
        json_object_del(policy, extra[n]);
    if (!change(i, policy, !deleting)) {
        json_decref(policy);
        if (deleting) {
            cc_gone(i);
        } else {
            cc_hold(i);
            cc_ready(i, NULL);
        }
        return;
    }
    if (!deleting) {
        cc_hold(i);
        cc_say(i, false, "Updating", "Update in progress", NULL);
    }
    policy_call(i, true, policy, written);
}

static void on_member_answer(int status, json_t *body, void *arg)
{
    cc_answered(arg, status, body);
}

static void policy_call(struct cc_item *i, bool write, json_t *take_policy,
                        void (*next)(struct cc_item *, int, const json_t *))
{
    struct place p;
    if (!place_of(i, &p)) {
        json_decref(take_policy);
        cc_fail(i, "error setting policy member: unsupported reference kind %s",
                cc_text(i, "resourceRef.kind"));
        return;
    }
    json_t *body = take_policy;
    if (write && p.wrapped)
        body = rd_json_pack("{s:o}", "policy", take_policy);
    else if (!write && p.project)
        body = rd_json_pack("{s:{s:i}}", "options", "requestedPolicyVersion", 3);
    i->calling = true;
    i->next = next;
    emu_call(i->w->e, p.api, i->principal, write ? p.write_method : p.read_method,
             write ? p.write : p.read, body, on_member_answer, i);
    place_clear(&p);
}

static void read_policy(struct cc_item *i)
{
    policy_call(i, false, NULL, have_policy);
}

void cc_member_apply(struct cc_item *i)
{
    i->tries = 0;
    read_policy(i);
}

void cc_member_remove(struct cc_item *i)
{
    i->tries = 0;
    cc_say(i, false, "Deleting", "Deletion in progress", NULL);
    read_policy(i);
}
