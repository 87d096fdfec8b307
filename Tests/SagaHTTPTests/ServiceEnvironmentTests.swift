import SagaCore
import SagaHTTP
import Testing

@Suite struct ServiceEnvironmentTests {
    let environment = ServiceEnvironment(["TOKEN": "s3cret", "EMPTY": "", "_a1": "x", "NESTED": "${env:TOKEN}"])

    static let texts: [(text: String, resolved: String)] = [
        ("", ""),
        ("http://127.0.0.1:7003", "http://127.0.0.1:7003"),
        ("Bearer ${env:TOKEN}", "Bearer s3cret"),
        ("${env:TOKEN}${env:_a1}", "s3cretx"),
        ("[${env:EMPTY}]", "[]"),
        ("${env:EMPTY:-default}", "default"),
        ("${env:NONE:-http://127.0.0.1:7001}", "http://127.0.0.1:7001"),
        ("${env:NONE:-}", ""),
        ("${env:TOKEN:-default}", "s3cret"),
        ("${env:NESTED}", "${env:TOKEN}"),
        ("$${env:TOKEN}", "${env:TOKEN}"),
        ("$5 ${ input.x }", "$5 ${ input.x }"),
        ("größe ${env:_a1} €", "größe x €"),
    ]

    @Test("references are replaced, everything else stays", arguments: texts)
    func resolve(_ sample: (text: String, resolved: String)) throws {
        #expect(try environment.resolve(sample.text) == sample.resolved)
    }

    @Test(
        "what can't be resolved is named and never sent",
        arguments: [
            ("${env:NONE}", "NONE"), ("a${env:TOKEN}b${env:NONE}", "NONE"), ("${env:TOKEN", "TOKEN"), ("${env:}", ""),
            ("${env:1A}", "1A"), ("${env:A B}", "A B"), ("${env:NONE:default}", "NONE:default"),
        ]
    )
    func missing(text: String, name: String) {
        #expect(throws: MissingVariable(name: name)) { try environment.resolve(text) }
    }

    @Test func checkOfAService() throws {
        let whole = Service(
            name: "payment",
            url: "${env:URL:-http://localhost}",
            headers: [.init(name: "Authorization", value: "Bearer ${env:TOKEN}")]
        )
        try environment.check(whole)
        let lacking = Service(
            name: "payment",
            url: "http://localhost",
            headers: [.init(name: "Authorization", value: "${env:KEY}")]
        )
        #expect(throws: MissingVariable(name: "KEY")) { try environment.check(lacking) }
        #expect("\(MissingVariable(name: "KEY"))" == "environment variable KEY is not set")
    }
}
