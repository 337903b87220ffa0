#include "emu.h"

#include "base/clock.h"

#include <string.h>
#include <time.h>

uint64_t emu_rand(struct emu *e)
{
    /* splitmix64: one word of state, good enough to spread delays. */
    uint64_t z = (e->rand += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t emu_jitter(struct emu *e, uint64_t delay_ms, unsigned percent)
{
    uint64_t span = delay_ms * percent / 100;
    return span == 0 ? delay_ms : delay_ms - span + emu_rand(e) % (2 * span + 1);
}

void emu_rand_hex(struct emu *e, char *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = "0123456789abcdef"[emu_rand(e) & 15];
    out[len] = '\0';
}

void emu_stamp_us(char *out)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    rd_rfc3339_us((int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000, out);
}

void emu_stamp_s(char *out)
{
    emu_stamp_us(out);
    char *dot = strchr(out, '.');
    RD_ASSERT(dot != NULL);
    strcpy(dot, "Z");
}
