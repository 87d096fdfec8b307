import Testing

@testable import SagaHTTP

@Suite struct ServiceURLTests {
    static let urls: [(url: String, origin: String?)] = [
        ("http://127.0.0.1:7003", "http://127.0.0.1:7003"),
        ("http://payment", "http://payment"),
        ("HTTPS://Payment.Example.COM/api/v1/", "https://payment.example.com"),
        ("http://my_service:1", "http://my_service:1"),
        ("http://[::1]:7003/x", "http://[::1]:7003"),
        ("http://[::1]", "http://[::1]"),
        ("http://h:65535", "http://h:65535"),
        ("http://h:65536", nil),
        ("http://127.0.0.1:99999", nil),
        ("http://h:0", nil),
        ("http://h:", nil),
        ("http://h:-1", nil),
        ("http://h:7003x", nil),
        ("http://h:1:2", nil),
        ("http://[::1", nil),
        ("http://[::1]x", nil),
        ("http://[]:1", nil),
        ("http://", nil),
        ("http:///charges", nil),
        ("http://:80", nil),
        ("http:h", nil),
        ("ftp://h", nil),
        ("http+unix://h", nil),
        ("h:7003", nil),
        ("", nil),
        ("http://user:password@h", nil),
        ("http://h?x=1", nil),
        ("http://h/a?x=1", nil),
        ("http://h/a#b", nil),
        ("http://h/a b", nil),
        ("http://h /a", nil),
        ("http://h/a%zz", nil),
        ("http://h/{id}", nil),
        ("http://h\r\nX: y", nil),
        ("http://größe", nil),
        (" http://h", nil),
    ]

    @Test("what a service may be reached at", arguments: urls)
    func origin(_ sample: (url: String, origin: String?)) {
        #expect(ServiceURL.origin(of: sample.url) == sample.origin)
    }

    static let targets: [(target: String, encoded: String?)] = [
        ("", ""),
        ("/", "/"),
        ("/charges/c-1?dry=true&x=a%20b", "/charges/c-1?dry=true&x=a%20b"),
        ("?x=1", "?x=1"),
        ("/a/../b//c/.", "/a/../b//c/."),
        ("/a?page[size]=1|2", "/a?page%5Bsize%5D=1%7C2"),
        (#"/a"<>\^`{}"#, "/a%22%3C%3E%5C%5E%60%7B%7D"),
        ("/:@!$&'()*+,;=-._~", "/:@!$&'()*+,;=-._~"),
        ("charges", nil),
        ("//h", "//h"),
        ("/a b", nil),
        ("/a#b", nil),
        ("/a\r\nX: y", nil),
        ("/a\u{0}", nil),
        ("/ü", nil),
        ("/a%", nil),
        ("/a%2", nil),
        ("/a%2g", nil),
        ("/a%2F%2f", "/a%2F%2f"),
    ]

    @Test("what may stand in a request line", arguments: targets)
    func target(_ sample: (target: String, encoded: String?)) {
        #expect(ServiceURL.encodedTarget(sample.target) == sample.encoded)
    }
}
