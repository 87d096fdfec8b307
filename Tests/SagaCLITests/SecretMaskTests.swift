import JSON
import SagaCore
import Testing

@Suite struct SecretMaskTests {
    @Test(arguments: [
        "password", "userPassword", "PASSWORD", "client_secret", "token", "accessToken", "access-token", "apikey",
        "apiKey", "api_key", "X-Api-Key", "Authorization", "Proxy-Authorization", "pan", "cardPan", "card_pan", "PAN",
        "cvv", "cvc2", "cardNumber", "card-number", "card", "passphrase", "awsCredentials", "privateKey",
        "pwd", "X-Auth", "accessKey", "session_id", "pin", "cardPin", "otp", "jwt", "X-Signature", "X-Session",
    ])
    func hidden(_ name: String) {
        #expect(SecretMask.isSecret(name))
    }

    @Test(arguments: [
        "company", "pancake", "expand", "japan", "orderId", "cardinal", "cardId", "key", "author", "pass", "spin",
        "opinion", "sessions", "", "-", "née",
    ])
    func shown(_ name: String) {
        #expect(!SecretMask.isSecret(name))
    }

    @Test func headers() {
        #expect(SecretMask.header("Cookie", value: "a=b") == "***")
        #expect(SecretMask.header("set-cookie", value: "a=b") == "***")
        #expect(SecretMask.header("authorization", value: "Bearer ${env:T}") == "***")
        #expect(SecretMask.header("X-Region", value: "${env:REGION}") == "${env:REGION}")
    }

    @Test(arguments: [
        ("http://h:1/a?b=c", "http://h:1/a?b=c"), ("${env:BANK}/a?token=t&x=1", "${env:BANK}/a?token=***&x=1"),
        ("https://user:geheim@h/a@b", "https://***@h/a@b"),
        ("http://h/a?api_key=&flag&cvc=1=2", "http://h/a?api_key=***&flag&cvc=***"),
        ("http://h/a?", "http://h/a?"), ("", ""), ("http://a@b@h", "http://***@h"), ("?token=1", "?token=***"),
        ("http://h/a?api%20key=1&acc%65sskey=2&x%=3&%=4", "http://h/a?api%20key=***&acc%65sskey=***&x%=3&%=4"),
        ("http://u:p@h?token=a#access_token=b&x=c", "http://***@h?token=***#access_token=***&x=c"),
        ("http://h/#a", "http://h/#a"),
    ])
    func urls(_ url: String, _ expected: String) {
        #expect(SecretMask.url(url) == expected)
    }

    @Test func urlsInTexts() {
        #expect(
            SecretMask.json(.array([.string("see https://u:pw@h/a?token=t&x=1  or http://h/b")]))
                == .array([.string("see https://***@h/a?token=***&x=1  or http://h/b")]))
        #expect(SecretMask.header("Referer", value: "http://u:pw@h/?apiKey=1") == "http://***@h/?apiKey=***")
        #expect(SecretMask.json(.string("a?token=1")) == .string("a?token=1"))
    }

    @Test func bodiesAtAnyDepth() throws {
        let body = #"{"a":[{"token":{"b":1},"n":0.10}],"card":{"pan":"4"},"cvv":null,"x":"token"}"#
        #expect(
            RawJSON(SecretMask.json(try JSON.parse(body))).text
                == #"{"a":[{"token":"***","n":0.10}],"card":"***","cvv":"***","x":"token"}"#
        )
        #expect(SecretMask.json(.string("secret")) == .string("secret"))
    }
}
