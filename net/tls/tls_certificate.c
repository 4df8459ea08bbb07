/* net/tls/tls_certificate.c - parsing, and the names of a certificate. */
#include "net/tls/tls_certificate.h"

#include <mbedtls/psa_util.h>
#include <stdio.h>
#include <string.h>

int tls_parse_certificate(mbedtls_x509_crt *certificate, const struct tls_pem *pem)
{
    int error = mbedtls_x509_crt_parse(certificate, pem->text, pem->count);
    return error <= 0 ? error : MBEDTLS_ERR_X509_INVALID_FORMAT; /* so many of the chain are bad */
}

int tls_parse_key(mbedtls_pk_context *key, const struct tls_pem *pem)
{
    return mbedtls_pk_parse_key(key, pem->text, pem->count, NULL, 0, mbedtls_psa_get_random,
                                MBEDTLS_PSA_RANDOM_STATE);
}

/* ---- names ---- */

static bool is_dns_name(const mbedtls_x509_sequence *entry)
{
    return (entry->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == MBEDTLS_X509_SAN_DNS_NAME && entry->buf.len > 0;
}

/* The next name after `entry`, NULL at first. RFC 6125 6.4.4: the common name counts only where nothing else stands,
 * and then no client of today accepts it; so it does not count here either. */
static const mbedtls_x509_sequence *next_name(const mbedtls_x509_crt *certificate, const mbedtls_x509_sequence *entry)
{
    entry = entry != NULL ? entry->next : &certificate->subject_alt_names;
    while (entry != NULL && !is_dns_name(entry))
        entry = entry->next;
    return entry;
}

static struct text text_of_entry(const mbedtls_x509_sequence *entry)
{
    return (struct text){(const char *)entry->buf.p, entry->buf.len};
}

static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter + ('a' - 'A')) : letter;
}

static bool is_same_name(struct text a, struct text b)
{
    if (a.count != b.count) return false;
    for (size_t i = 0; i < a.count; i++) {
        if (lower(a.at[i]) != lower(b.at[i])) return false;
    }
    return true;
}

bool tls_certificate_is_named(const mbedtls_x509_crt *certificate, struct text name)
{
    for (const mbedtls_x509_sequence *entry = NULL; (entry = next_name(certificate, entry)) != NULL;) {
        if (is_same_name(text_of_entry(entry), name)) return true;
    }
    return false;
}

bool tls_certificate_covers(const mbedtls_x509_crt *certificate, struct text name)
{
    const char *dot = memchr(name.at, '.', name.count);
    if (dot == NULL || dot == name.at) return false;
    struct text behind = text_behind(name, (size_t)(dot - name.at));
    for (const mbedtls_x509_sequence *entry = NULL; (entry = next_name(certificate, entry)) != NULL;) {
        struct text wildcard = text_of_entry(entry); /* "*.example.org": one whole label, RFC 6125 6.4.3 */
        if (wildcard.count > 2 && wildcard.at[0] == '*' && is_same_name(text_behind(wildcard, 1), behind))
            return true;
    }
    return false;
}

struct text tls_certificate_first_name(const mbedtls_x509_crt *certificate)
{
    const mbedtls_x509_sequence *entry = next_name(certificate, NULL);
    return entry != NULL ? text_of_entry(entry) : (struct text){0};
}

void tls_certificate_names(const mbedtls_x509_crt *certificate, char *text_r, size_t text_size)
{
    static const char more[] = ", ...";
    size_t used = 0;
    text_r[0] = '\0';
    for (const mbedtls_x509_sequence *entry = NULL; (entry = next_name(certificate, entry)) != NULL;) {
        struct text name = text_of_entry(entry);
        const char *between = used > 0 ? ", " : "";
        if (used + strlen(between) + name.count + sizeof more > text_size) {
            snprintf(text_r + used, text_size - used, "%s", used > 0 ? more : "...");
            return;
        }
        used += (size_t)snprintf(text_r + used, text_size - used, "%s%.*s", between, (int)name.count, name.at);
    }
}
