#include "place.h"

#include "base/alloc.h"

#include <string.h>

const struct emu_region emu_regions[] = {
    {"asia-east1", "abc"},
    {"asia-northeast1", "abc"},
    {"europe-west1", "bcd"},
    {"europe-west4", "abc"},
    {"northamerica-south1", "abc"},
    {"us-central1", "abcf"},
    {"us-east1", "bcd"},
    {"us-east4", "abc"},
    {"us-west1", "abc"},
    {"us-west2", "abc"},
};
const size_t emu_regions_len = RD_ARRAY_LEN(emu_regions);

static const struct emu_region *find(const char *name, size_t len)
{
    for (size_t i = 0; i < emu_regions_len; i++) {
        if (strlen(emu_regions[i].name) == len && memcmp(emu_regions[i].name, name, len) == 0)
            return &emu_regions[i];
    }
    return NULL;
}

bool emu_region_exists(const char *region)
{
    return find(region, strlen(region)) != NULL;
}

bool emu_zone_exists(const char *zone)
{
    size_t len = strlen(zone);
    if (len < 3 || zone[len - 2] != '-')
        return false;
    const struct emu_region *r = find(zone, len - 2);
    return r != NULL && strchr(r->zones, zone[len - 1]) != NULL;
}

char *emu_region_of(const char *location)
{
    return emu_zone_exists(location) ? rd_strndup(location, strlen(location) - 2)
                                     : rd_strdup(location);
}

void emu_region_zones(const char *region, struct rd_strv *out)
{
    const struct emu_region *r = find(region, strlen(region));
    for (const char *z = r == NULL ? "" : r->zones; *z != '\0'; z++)
        rd_strv_take(out, rd_asprintf("%s-%c", region, *z));
}
