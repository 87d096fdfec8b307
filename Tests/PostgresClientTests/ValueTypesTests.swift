import Testing

@testable import PostgresClient

@Suite struct PostgresUUIDTests {
    @Test func readsBothCasesAndPrintsLowerCase() throws {
        let uuid = try #require(PostgresUUID("018F6f5c-1a2B-7cde-8f00-0123456789AB"))
        #expect(uuid == PostgresUUID(high: 0x018f_6f5c_1a2b_7cde, low: 0x8f00_0123_4567_89ab))
        #expect(uuid.description == "018f6f5c-1a2b-7cde-8f00-0123456789ab")
    }

    @Test(arguments: [
        "", "018f6f5c1a2b7cde8f000123456789ab", "018f6f5c-1a2b-7cde-8f00-0123456789a",
        "018f6f5c-1a2b-7cde-8f00-0123456789abc", "018f6f5c-1a2b-7cde-8f00-0123456789ag",
        "{018f6f5c-1a2b-7cde-8f00-0123456789ab}", "018f6f5c-1a2b-7cde-8f000-123456789ab",
        "018f6f5c-1a2b-7cde-8f00-0123456789a\u{e9}", "------------------------------------",
    ])
    func refusesOtherForms(text: String) {
        #expect(PostgresUUID(text) == nil)
    }

    @Test func ordersByBytes() {
        let ordered = [
            PostgresUUID(high: 0, low: 1), PostgresUUID(high: 0, low: .max), PostgresUUID(high: 1, low: 0),
            PostgresUUID(high: .max, low: 0),
        ]
        #expect(ordered.reversed().sorted() == ordered)
    }
}

@Suite struct PostgresTimestampTests {
    @Test func wireValueOfOrdinaryInstants() {
        #expect(PostgresTimestamp(microsecondsSince1970: 0).microsecondsSince2000 == -946_684_800_000_000)
        #expect(PostgresTimestamp(microsecondsSince2000: -946_684_800_000_000)?.microsecondsSince1970 == 0)
    }

    @Test func infinitiesAreThemselves() {
        #expect(PostgresTimestamp.infinity.microsecondsSince2000 == .max)
        #expect(PostgresTimestamp.negativeInfinity.microsecondsSince2000 == .min)
        #expect(PostgresTimestamp(microsecondsSince2000: .max) == .infinity)
        #expect(PostgresTimestamp(microsecondsSince2000: .min) == .negativeInfinity)
    }

    @Test func theEndsOfTheRangeDoNotTrap() {
        #expect(PostgresTimestamp(microsecondsSince1970: .min + 1).microsecondsSince2000 == .min + 1)
        #expect(
            PostgresTimestamp(microsecondsSince1970: .max - 1).microsecondsSince2000 == .max - 1 - 946_684_800_000_000
        )
        #expect(PostgresTimestamp(microsecondsSince2000: .max - 1) == nil)
    }
}

@Suite struct PostgresErrorTests {
    @Test(arguments: [
        ("40001", true), ("40P01", true), ("40003", false), ("55P03", true), ("57P01", true), ("57P02", true),
        ("57P03", true), ("53300", true), ("08006", true), ("23505", false), ("57014", false), ("42601", false),
    ])
    func retryableStates(state: String, isRetryable: Bool) {
        #expect(PostgresError(.server(sqlState: state), "").isRetryable == isRetryable)
    }

    @Test(arguments: [
        ("57P01", true), ("57P03", true), ("57P04", true), ("53100", true), ("53200", true), ("53300", true),
        ("53400", true), ("58000", true), ("58030", true), ("25006", true), ("08P01", true), ("08006", true),
        ("40001", false), ("42501", false), ("22023", false), ("57014", false), ("54000", false),
    ])
    func unavailableStates(state: String, isUnavailable: Bool) {
        #expect(PostgresError(.server(sqlState: state), "").isServerUnavailable == isUnavailable)
        #expect(PostgresError(.connectFailed, "").isServerUnavailable == false)
    }

    @Test func refusedIdentityIsNotRetryable() {
        #expect(PostgresError(.connectFailed, "", sqlState: "28P01").isRetryable == false)
        #expect(PostgresError(.connectFailed, "", sqlState: "3D000").isRetryable == false)
        #expect(PostgresError(.connectFailed, "", sqlState: "57P03").isRetryable)
        #expect(PostgresError(.connectFailed, "").isRetryable)
    }

    @Test func lostConnectionIsNeverRetryable() {
        let error = PostgresError(.connectionLost, "", sqlState: "57P01")
        #expect(error.isRetryable == false)
        #expect(error.isOutcomeUnknown)
        #expect(error.isServerUnavailable)
    }

    @Test func descriptionIsOneLineWithItsPlace() {
        var error = PostgresError(.server(sqlState: "23505"), "duplicate key")
        error.constraint = "orders_key"
        error.statementIndex = 2
        #expect(error.description == "duplicate key (SQLSTATE 23505, constraint orders_key, statement 2)")
    }

    @Test func linesAreJoined() {
        #expect("a failed:\n\tIs the server  running?\r\n".onOneLine == "a failed: Is the server  running?")
    }
}

@Suite struct ConnectionFailureTextTests {
    @Test func takesTheStateOutOfAVerboseMessage() {
        var text = """
            connection to server on socket "/tmp/.s" failed: FATAL:  57P03: the database system is starting up
            LOCATION:  ProcessStartupPacket, postmaster.c:2330
            """
        #expect(ConnectionFailureText.takeSQLState(from: &text) == "57P03")
        #expect(text == "connection to server on socket \"/tmp/.s\" failed: FATAL: the database system is starting up")
    }

    @Test func leavesOtherMessagesAlone() {
        var text = "could not translate host name \"a:  12\" to address: no"
        #expect(ConnectionFailureText.takeSQLState(from: &text) == nil)
        #expect(text == "could not translate host name \"a:  12\" to address: no")
    }

    @Test(arguments: [
        ("postgres://u:pa@wrd@host/db", "could not translate host name \"wrd@host\" to address", "wrd"),
        ("postgres://u:hid/den@host/db", "invalid integer value \"hid\" for connection option \"port\"", "hid"),
        ("host=h password=two words", "missing \"=\" after \"words\" in connection info string", "words"),
        ("host=h password = 'it''s'", "unterminated quoted string in \"it''s\"", "it"),
    ])
    func passwordsAreTakenOutOfQuotations(string: String, message: String, secret: String) {
        let redacted = ConnectionRedaction(string).redact(message)
        #expect(redacted.contains("\"***\""))
        #expect(redacted.contains(secret) == false)
    }

    @Test func messagesWithoutAPasswordStay() {
        let message = "connection to server at \"db\" failed: FATAL: role \"u\" does not exist"
        #expect(ConnectionRedaction("postgres://u:secret@db/x").redact(message) == message)
        #expect(ConnectionRedaction("host=db").redact(message) == message)
    }
}
