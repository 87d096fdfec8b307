/// An authority of these tests' own and a certificate that it gave to `localhost`, both valid from 2020 to 2120.
///
/// Made with `openssl ca`; the authority's key was not kept, and nothing but these tests trusts it.
enum TestCertificates {
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBXjCCAQWgAwIBAgIBATAKBggqhkjOPQQDAjAeMRwwGgYDVQQDDBNTYWdhIHRl
        c3QgYXV0aG9yaXR5MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAe
        MRwwGgYDVQQDDBNTYWdhIHRlc3QgYXV0aG9yaXR5MFkwEwYHKoZIzj0CAQYIKoZI
        zj0DAQcDQgAEDEQk7eZ0b4J/GhEnkpYhM4iKnv/ZiVPKk+0c9s8JfI9mZcN3SMDS
        H675d/J4+Bs/9q8scYn6R6t17Sq31vAv7aMyMDAwDwYDVR0TAQH/BAUwAwEB/zAd
        BgNVHQ4EFgQUhRIwPlOHZ4qn+P6INLdm/Y5m788wCgYIKoZIzj0EAwIDRwAwRAIg
        bxiXH9do+NTMSNySLsDCOjXPfme5oiY9WNx0NMTVgmkCIGpurgv9fbFtw6b61dVw
        8GyrC/Eh2TI/D8mhfZQbtYtC
        -----END CERTIFICATE-----
        """

    static let leaf = """
        -----BEGIN CERTIFICATE-----
        MIIBnDCCAUGgAwIBAgIBAjAKBggqhkjOPQQDAjAeMRwwGgYDVQQDDBNTYWdhIHRl
        c3QgYXV0aG9yaXR5MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAU
        MRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR/
        kHRfQ8rNTWk03E8tsviES4DReyvq2wKVrVX2mHJG+RwDNpCMrcb3Ef4ijJpjS2uz
        hHGoWDYvX4tyP/cQq6fWo3gwdjAUBgNVHREEDTALgglsb2NhbGhvc3QwCQYDVR0T
        BAIwADATBgNVHSUEDDAKBggrBgEFBQcDATAdBgNVHQ4EFgQU5iPzdcaQQn2/nYcH
        eqktbDQmwkMwHwYDVR0jBBgwFoAUhRIwPlOHZ4qn+P6INLdm/Y5m788wCgYIKoZI
        zj0EAwIDSQAwRgIhAJ04G7N7K1S6tpfL0LrGRoaF8qZvwLPu5t2bGYW3LEeOAiEA
        2/CasA4c9B+/PadmyjH7aaUxd5St5Z9DVJ4ovfXCuNU=
        -----END CERTIFICATE-----
        """

    static let leafKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPIUY14i8cEiiQkqE
        I9bk1nPLrYnoTq3Kh9C/DBmjuyChRANCAAR/kHRfQ8rNTWk03E8tsviES4DReyvq
        2wKVrVX2mHJG+RwDNpCMrcb3Ef4ijJpjS2uzhHGoWDYvX4tyP/cQq6fW
        -----END PRIVATE KEY-----
        """
}
