/*
 * signer_keys: keys that `openssl` made, for tests of the signer.
 *
 * They were made for this file and sign nothing.
 */
#ifndef TESTS_SIGNER_KEYS_H
#define TESTS_SIGNER_KEYS_H

#include <stdbool.h>
#include <stddef.h>

/* clang-format off */
static const struct {
	const char *what, *alg, *pem;
	const char *refused; /* in the message; NULL: it can verify */
	bool halves;         /* as a private key: the halves do not fit */
} foreign_keys[] = {
	{"EC, PKCS#8", "ES256",
		"-----BEGIN PRIVATE KEY-----\n"
		"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgDdpu1ulzd7IDZ6pP\n"
		"TGB6OJ6fOAd3JYeErML1TqHsnoShRANCAARG1f/JVGQk9hPV0+s50BQqAD5IeIIQ\n"
		"GowgxvgdyrFAnM7T+B/UHzMRwbMVYxSDZjc2nTwLSfUqWK1Cz7jfBwol\n"
		"-----END PRIVATE KEY-----\n",
		NULL, false},
	{"EC, SEC 1", "ES256",
		"-----BEGIN EC PRIVATE KEY-----\n"
		"MHcCAQEEIA3abtbpc3eyA2eqT0xgejienzgHdyWHhKzC9U6h7J6EoAoGCCqGSM49\n"
		"AwEHoUQDQgAERtX/yVRkJPYT1dPrOdAUKgA+SHiCEBqMIMb4HcqxQJzO0/gf1B8z\n"
		"EcGzFWMUg2Y3Np08C0n1KlitQs+43wcKJQ==\n"
		"-----END EC PRIVATE KEY-----\n",
		NULL, false},
	{"RSA, PKCS#8", "RS256",
		"-----BEGIN PRIVATE KEY-----\n"
		"MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCf5Qo5jMZHwAbL\n"
		"kkxAV9YGQZ8XHtMycSjGUrM60lGRQ6PY2NNwPdSZM4Go8DranexppBEG7RM3eNXA\n"
		"uUIlKQkiyNmmCg6pwhfqIjbZPtmvoyU9h/HHeiTeb0gEDo9r4mkO4+jtDBT2BnCZ\n"
		"tsBu6ZHncY4GXJLh+0vE2qpbEsKgrgmoBL+I+7E2nDDlJunDWGOKPkWQKcIGXe6C\n"
		"pzwQDN7GVH1ZM1Cp88N83PH9U1hNcpAozMspDyo5cawkZpR1WOFTJce1a7i3FI0L\n"
		"5SqAf3q2FbGQKZy+8/79XHkwnq6bZp4ZmjeVyO+ZVkLz1rqnNBqm45S5DWHob68z\n"
		"0HejyI1xAgMBAAECggEAEI60vNnljHeHnJwFNmKCILq54TiJcT9DlCnrMmumE69X\n"
		"77QgTQ6yDb1GL3rU9V+GJDhfpQJ2y3dBV0g338Y8knQPCcEf3JdjR5UMbfmyrBvu\n"
		"Vs1Vja0J1VjbscPaOTdEXszeCXIHV6S6E0jX64RXXgqlxOXgNfOCWJu2KWErc1z4\n"
		"U+tb6e1EqW7HrjpQ0zgTEDqokuma0qq8dWVma1AAYtL/sannaxfJyUVJhzNpFgP7\n"
		"BzxxpzgKx50iiWwT5GF3O9reaJmJ5d3t6cycxfiGABlWqzwK7NMVdqjwMhiCUnlh\n"
		"4C3NQ2DnuZhwU9oQ1NniyQlL6YZFTdXk04P97bfdYwKBgQDZQgbwrsuMHoej2c6A\n"
		"MRhNG+WmvGE7ambgcJbAJjWq9spf6PIO9DBF15UJMUyOVb1+c4MLtVaIOqBkAuTA\n"
		"YIwHGQW/ywgRgrpMSV9jiUiUSNltURTFf5RA2rXei0i09MHyjTLaL4NR2ALOPGSp\n"
		"WILQg0m7/m9p+ixIf20u7cwROwKBgQC8aFeOCQNT7+iZwZ4yLOBbhrTIVm0xLXmp\n"
		"l9nBpz7a1MmGX/SQmwej2xHS3LOyDf+bKKSRT9vwymf01rNATp1Ms3kGolx3mlv1\n"
		"cHny2h6gisvwe2jhGRX8RefZghiHfHGLLkMPRUJGIIevU1XmuPJy+dvJWF0Ei3F0\n"
		"HkLm3v9xQwKBgQDFXGzPkgqIpGdV2pPz8iWATtpliHXPss34D29y6IMSZxTa4dOa\n"
		"8As2NyxFaIqCNrNovuiJ51bPdGqlz9ccR9iMzhdh7r/KoHY6vOCxnFHZmwAhhWmY\n"
		"LFhyPfy/SMpo0HurqsdKW6Uw4UlTLpvHFwfnAY0nAXEW1dQKm++ElTMvZwKBgGmF\n"
		"/1PcFHMUsbA8U0BDBj39CpASaAHdOIEWPa5K39dsyppqb+32BqdtcWQqnLKjSIA8\n"
		"mT+R/Nu2Ydct0SO5ZDyrYKOomCWc3Nhw8LxmEjVUx7ifRjSc+kVbWennBZoMxwNv\n"
		"G7wXzHC+k4BNKpWZDKH8826oASEkgJzKvinUyDlFAoGBALzrKPF0yaI3kxIMjRa0\n"
		"mskAtNvRWaYx1sNNDKf968tcJsIEa+ZrP84vBGXIt66Tq/InM5rcr8aROMitD2Qp\n"
		"kWzog6UuWVOxUTjlIavsrJxWQkt4PStmpsPeroXHrzqosJQ5plt6bDuAWLUBY32r\n"
		"HKmAVeOEjLAwTh91OpNR9Vwp\n"
		"-----END PRIVATE KEY-----\n",
		NULL, false},
	{"EC, SPKI", "ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERtX/yVRkJPYT1dPrOdAUKgA+SHiC\n"
		"EBqMIMb4HcqxQJzO0/gf1B8zEcGzFWMUg2Y3Np08C0n1KlitQs+43wcKJQ==\n"
		"-----END PUBLIC KEY-----\n",
		NULL, false},
	{"RSA, PKCS#1", "PS512",
		"-----BEGIN RSA PUBLIC KEY-----\n"
		"MIIBCgKCAQEAn+UKOYzGR8AGy5JMQFfWBkGfFx7TMnEoxlKzOtJRkUOj2NjTcD3U\n"
		"mTOBqPA62p3saaQRBu0TN3jVwLlCJSkJIsjZpgoOqcIX6iI22T7Zr6MlPYfxx3ok\n"
		"3m9IBA6Pa+JpDuPo7QwU9gZwmbbAbumR53GOBlyS4ftLxNqqWxLCoK4JqAS/iPux\n"
		"Npww5Sbpw1hjij5FkCnCBl3ugqc8EAzexlR9WTNQqfPDfNzx/VNYTXKQKMzLKQ8q\n"
		"OXGsJGaUdVjhUyXHtWu4txSNC+UqgH96thWxkCmcvvP+/Vx5MJ6um2aeGZo3lcjv\n"
		"mVZC89a6pzQapuOUuQ1h6G+vM9B3o8iNcQIDAQAB\n"
		"-----END RSA PUBLIC KEY-----\n",
		NULL, false},
	{"a certificate", "ES256",
		"-----BEGIN CERTIFICATE-----\n"
		"MIIBgzCCASmgAwIBAgIUByiQSJ0rUBp4dSQyjFyQsr+HFIQwCgYIKoZIzj0EAwIw\n"
		"FzEVMBMGA1UEAwwMcmVnYXR0YSB0ZXN0MB4XDTI2MTEyNTEyNDUwOVoXDTM2MTEy\n"
		"MjEyNDUwOVowFzEVMBMGA1UEAwwMcmVnYXR0YSB0ZXN0MFkwEwYHKoZIzj0CAQYI\n"
		"KoZIzj0DAQcDQgAERtX/yVRkJPYT1dPrOdAUKgA+SHiCEBqMIMb4HcqxQJzO0/gf\n"
		"1B8zEcGzFWMUg2Y3Np08C0n1KlitQs+43wcKJaNTMFEwHQYDVR0OBBYEFIZQmvJU\n"
		"SFzHLP82r5cp0CeJQzEYMB8GA1UdIwQYMBaAFIZQmvJUSFzHLP82r5cp0CeJQzEY\n"
		"MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgHUIImBw86zzR72GK\n"
		"GffCNiRFAD6L3wyyTB3v3H4Wjm0CIQDEUT7pxEhs9NoAqehZjosmTcV/PBcW+wws\n"
		"pAdgfvQVUQ==\n"
		"-----END CERTIFICATE-----\n",
		NULL, false},
	{"line ends of DOS", "ES256",
		"-----BEGIN PUBLIC KEY-----\r\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERtX/yVRkJPYT1dPrOdAUKgA+SHiC\r\n"
		"EBqMIMb4HcqxQJzO0/gf1B8zEcGzFWMUg2Y3Np08C0n1KlitQs+43wcKJQ==\r\n"
		"-----END PUBLIC KEY-----\r\n",
		NULL, false},
	{"text in front", "ES256",
		"the key:\n"
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERtX/yVRkJPYT1dPrOdAUKgA+SHiC\n"
		"EBqMIMb4HcqxQJzO0/gf1B8zEcGzFWMUg2Y3Np08C0n1KlitQs+43wcKJQ==\n"
		"-----END PUBLIC KEY-----\n",
		NULL, false},
	{"halves of two keys", "ES256",
		"-----BEGIN EC PRIVATE KEY-----\n"
		"MHcCAQEEIA3abtbpc3eyA2eqT0xgejienzgHdyWHhKzC9U6h7J6EoAoGCCqGSM49\n"
		"AwEHoUQDQgAERjPS4Xroh1t8fRoDwI6YK1S4hSA9hUBERJXgFWmAlrflchIX74KE\n"
		"vaY/sFH/BKuLGxsEeOr+utbDnbO7ELy1dQ==\n"
		"-----END EC PRIVATE KEY-----\n",
		NULL, true},
	{"a short RSA key", "RS256",
		"-----BEGIN PRIVATE KEY-----\n"
		"MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAL8YJMUlFXSJKYHa\n"
		"ZdnLJWCiEqKSfrRpTeqryeO8fRoKNE+wXPIMfcc48fIcdeqIPApcofDOUIWjA79D\n"
		"8HKXzPqTKkVKMJagciqbR2SjePXNQyf6YtOp1syrtmaTO6bhIF6qvrYH1LHgXlGp\n"
		"O3UcBpOn+pKhJ3iqqEOJJPM4VyqVAgMBAAECgYByVpLhtu+ge9VvEesxJoDl0fPO\n"
		"fFL9xahOSp2Q+x3rb8GfEMp8NYcopeT2VZskSoGKPaTTvc6mN0Sts4vyNOv6075k\n"
		"QonK3zVK4/Zq5neuQRq8DXoqz5rnr4xnvP6j8FKqUr5xb9ZZWUDZ14DMwc+2lNt7\n"
		"CxZUBbmTgyZ78DewvQJBAPbVCCV8WN5IpvYx9WSx7FfCoke8oGKYgKmZPidWG8Qv\n"
		"iZLKT64yQfpgPy6zQtDu/kklYnDLvNL2aOkSXGmD2v8CQQDGMSLx9vI8w+ynPHFj\n"
		"JnO3p6VuZj7p2WeFz8mS1hxP/uxQBcOoznAIFSz9BLfmibRnJ/g3gSrLDUAu//uB\n"
		"L15rAkEAjA+uI7c/pkKLm0AWAyGC/vmOpC5AxDHNMG+oeSG/d7+RzR3HwQz7q1tZ\n"
		"/uHxlCVJXbA8/8xcRUlVlou4rJcJeQJBAKOzql2Zz/QJEMwBzNZMyIAF5UsPASA/\n"
		"BpcsTh8O40vgEGj4megwu7CxbPuAjjXJwE0EYq3V7vbQ9xbbMW4/JgkCQDXia8vO\n"
		"FsufXFpxTClCxRXBeZm0Wzr0/HaTakdQyJirKlWDR6pTo+EIPGZCKGiB6Xor2ABG\n"
		"tdo3WJqgiyYsyak=\n"
		"-----END PRIVATE KEY-----\n",
		"an RSA key of 1024 bits, at least 2048 are needed", false},
	{"encrypted, PKCS#8", "ES256",
		"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
		"MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgBWCPP4l1/vQICCAAw\n"
		"DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEFjhmssy4l2UM32oErU5PYAEgZC1\n"
		"Xfk731NiATufMgx5T0MCxEtY1iWay7Qx3S07vWePtMt7BCHJX5sOJhDKQb3LAIkC\n"
		"c4ByXxcO6cXOD/rW7v60FXJakbIK+Ub29lKg59OpHGiS8KdajQkBov5qCTJnHX72\n"
		"xXwpGfWRJJgsN0euSHmpBkGLxOnDTP2TKo5BcE+HdETg+3NIhjc+u2jr91YtkDA=\n"
		"-----END ENCRYPTED PRIVATE KEY-----\n",
		"the key is encrypted", false},
	{"encrypted, SEC 1", "ES256",
		"-----BEGIN EC PRIVATE KEY-----\n"
		"Proc-Type: 4,ENCRYPTED\n"
		"DEK-Info: AES-256-CBC,68CD3A6A2579C90E155F51123A5937D2\n"
		"\n"
		"M2z2Y4ESTaKoIpJ9O4HoDIVyvz2A6ZOL4Bc/H6cb0y7K0wCcM1onR0aUFNsXiHlt\n"
		"RF5xoRMDWWAtbIdwwEnlb0d4W8BK2xWtlzrmCR4A70VGSCqVjEiVVYIknAN8LENE\n"
		"3mcsHIVVqEKPjRPznyRBfuaYeZcBjIIN/uF+9RT6ISU=\n"
		"-----END EC PRIVATE KEY-----\n",
		"the key is encrypted", false},
	{"parameters come first", "ES256",
		"-----BEGIN EC PARAMETERS-----\n"
		"BggqhkjOPQMBBw==\n"
		"-----END EC PARAMETERS-----\n"
		"-----BEGIN EC PRIVATE KEY-----\n"
		"MHcCAQEEIA3abtbpc3eyA2eqT0xgejienzgHdyWHhKzC9U6h7J6EoAoGCCqGSM49\n"
		"AwEHoUQDQgAERtX/yVRkJPYT1dPrOdAUKgA+SHiCEBqMIMb4HcqxQJzO0/gf1B8z\n"
		"EcGzFWMUg2Y3Np08C0n1KlitQs+43wcKJQ==\n"
		"-----END EC PRIVATE KEY-----\n",
		"failed to parse PEM block containing the key", false},
	{"a curve spelled out", "ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAA\n"
		"AAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA////\n"
		"///////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSd\n"
		"NgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5\n"
		"RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA\n"
		"//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABEbV/8lUZCT2E9XT6znQFCoA\n"
		"Pkh4ghAajCDG+B3KsUCcztP4H9QfMxHBsxVjFINmNzadPAtJ9SpYrULPuN8HCiU=\n"
		"-----END PUBLIC KEY-----\n",
		"parameters instead of a name", false},
	{"RSA for PSS only", "PS256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBAM0LkrTL7KmIqqkOBNq+d+bt\n"
		"MPrQ3m9qPS1GNbpFBqR3EpN/QyP9htfMGg65hbvRiq7bl4MhqKHc/kUrbbhvPNMb\n"
		"Rvl+LSqtmQhkEiMyzVeKDpjW2axirlGI/Jen/uoaUVo/tRpDjWunEpZHrl92Ec/S\n"
		"7mufWffINW/GZJ6mnobB3H0jfooGg+DNaum9/bBXCUwA9kB1dR7qklKg6/s7cod7\n"
		"98XIodzPIKf3eZzuC90GZ1/ufBZ/7wuFhI8Vtcoi+eAjFnx/cog0Skuuu8FHgnJz\n"
		"DsKttlzIXN3Tb+OcHfbs+Vcuwe8XIayjHdEUNW9zS8DhDGb8JUxPe6k/ArY04g0C\n"
		"AwEAAQ==\n"
		"-----END PUBLIC KEY-----\n",
		"PS256 needs an RSA key", false},
	{"Ed25519", "ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VwAyEAfFhVJOiMlECemAcOuQffd3ZsVhsxU8jDJz0uqxnwHno=\n"
		"-----END PUBLIC KEY-----\n",
		"ES256 needs a key on P-256", false},
	{"another curve", "ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAE5c7xLZl13BhN32Pe8dBuMMafzWweQlRy\n"
		"IZiMSizBGCN2yrJvwhrJ/kFlIdupt8XMZ1fMD3909ywf0LAkB/yKwQ==\n"
		"-----END PUBLIC KEY-----\n",
		"not on secp256k1", false},
	{"cut DER", "ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERtX/yVRkJPYT1dPrOdAUKgA+SHiC\n"
		"EBqMIMb4HcqxQJzO0/gf1B8zEcGzFWMUg2Y3Np08C0n1KlitQs+43wcK\n"
		"-----END PUBLIC KEY-----\n",
		"the PEM block PUBLIC KEY holds no key", false},
	{"another type", "ES256",
		"-----BEGIN X-----\n"
		"YWJj\n"
		"-----END X-----\n",
		"failed to parse PEM block containing the key", false},
	{"all in one line", "ES256",
		"-----BEGIN PUBLIC KEY-----MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERtX/"
		"yVRkJPYT1dPrOdAUKgA+SHiCEBqMIMb4HcqxQJzO0/gf1B8zEcGzFWMUg2Y3Np08C0"
		"n1KlitQs+43wcKJQ==-----END PUBLIC KEY-----\n",
		"failed to parse PEM block containing the key", false},
	{"no end", "ES256",
		"-----BEGIN PUBLIC KEY-----\n"
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERtX/yVRkJPYT1dPrOdAUKgA+SHiC\n"
		"EBqMIMb4HcqxQJzO0/gf1B8zEcGzFWMUg2Y3Np08C0n1KlitQs+43wcKJQ==\n"
		"-----END PUBLIC",
		"failed to parse PEM block containing the key", false},
};
/* clang-format on */

#endif
