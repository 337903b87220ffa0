#include "verb.h"

#include "base/alloc.h"

#include <archive.h>
#include <curl/curl.h>
#include <openssl/crypto.h>
#include <uv.h>
#include <yaml.h>

static int run(struct verb_ctx *v)
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    RD_AUTOJSON json_t *libs = rd_json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "libcurl", curl->version, "nghttp2",
        curl->nghttp2_version ? curl->nghttp2_version : "none", "tls", curl->ssl_version, "libuv",
        uv_version_string(), "jansson", jansson_version_str(), "libyaml", yaml_get_version_string(),
        "openssl", OpenSSL_version(OPENSSL_VERSION_STRING), "libarchive", archive_version_string());
    if (v->config.json_output) {
        RD_AUTOJSON json_t *o =
            rd_json_pack("{s:s, s:O}", "version", RAYDEPLOY_VERSION, "libraries", libs);
        verb_print_json(v, o);
        return 0;
    }
    RD_AUTOBUF struct rd_buf text = RD_BUF_INIT(RD_BUF_UNBOUNDED);
    rd_buf_printf(&text, "raydeploy %s\n", RAYDEPLOY_VERSION);
    const char *name;
    json_t *version;
    json_object_foreach (libs, name, version)
        rd_buf_printf(&text, "  %-11s %s\n", name, json_string_value(version));
    verb_print(v, &text);
    return 0;
}

const struct verb verb_version = {
    .name = "version",
    .summary = "the version of raydeploy and of its libraries",
    .offline = true,
    .run = run,
};
