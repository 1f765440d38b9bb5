/*
 * server_cert: a certificate for 127.0.0.1 and localhost with its key, valid
 * from 2020 to 2120. Made with `openssl` for the tests alone.
 */
#ifndef TESTS_SERVER_CERT_H
#define TESTS_SERVER_CERT_H

/* clang-format off */
static const char server_cert_pem[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBbTCCAROgAwIBAgIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxyZWdhdHRh\n"
	"IHRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBcxFTATBgNV\n"
	"BAMMDHJlZ2F0dGEgdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABA+pLRTr\n"
	"hFQeclQKQd9UC7Qz0SAmCmI5wUys7uvKUdYuZ9bk5WqixuktCLZYOZIdTp/vJGVj\n"
	"qRIzmuOVWNESFi+jTjBMMA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYcEfwAA\n"
	"AYIJbG9jYWxob3N0MB0GA1UdDgQWBBSSEhZYaKLL3GeyyRwtKnLA3XXzODAKBggq\n"
	"hkjOPQQDAgNIADBFAiBpM1jsL3bKbeby/ZMpUALMqzn1E8kw1AYazfwanPR+RwIh\n"
	"AM3ACoFzpKxDfuZhQxtKzhB/MWft01gwA3YkA1YYvoG8\n"
	"-----END CERTIFICATE-----\n";
static const char server_key_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJ3Lxs37JUJPgTcXu\n"
	"Eqos7mo1M+fWUBMqH1czDLMhbeKhRANCAAQPqS0U64RUHnJUCkHfVAu0M9EgJgpi\n"
	"OcFMrO7rylHWLmfW5OVqosbpLQi2WDmSHU6f7yRlY6kSM5rjlVjREhYv\n"
	"-----END PRIVATE KEY-----\n";
/* clang-format on */

#endif
