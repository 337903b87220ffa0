/* Regions and zones that exist, and what they offer. */
#ifndef EMU_PLACE_H
#define EMU_PLACE_H

#include "base/text.h"

bool emu_region_exists(const char *region);
bool emu_zone_exists(const char *zone);
/* "us-central1" of "us-central1-a" or of itself; owned. */
char *emu_region_of(const char *location);
/* Zones of a region, in order. */
void emu_region_zones(const char *region, struct rd_strv *out);
/* Every region ("us-central1") with its zones' letters ("abcf"). */
struct emu_region {
    const char *name, *zones;
};
extern const struct emu_region emu_regions[];
extern const size_t emu_regions_len;

#endif
