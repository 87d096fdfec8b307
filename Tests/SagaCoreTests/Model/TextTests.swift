import JSON
import SagaCore
import Testing

@Suite struct TextTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_795_253_400_125_000, "2026-11-21T09:30:00.125Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"), (-1_000, "1969-12-31T23:59:59.999Z"),
            (253_402_300_799_999_000, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func instantsHaveOneText(microseconds: Int64, text: String) {
        #expect(Instant(microseconds: microseconds).text == text)
        #expect(Instant(text: text) == Instant(microseconds: microseconds))
    }

    @Test func extremeInstantsAreHeldAndBadTextsRefused() {
        #expect(Instant(microseconds: .max).text == "9999-12-31T23:59:59.999Z")
        #expect(Instant(microseconds: .min).text == "0000-01-01T00:00:00.000Z")
        #expect(Instant.distantFuture.roundedUpToMilliseconds == .distantFuture)
        for text in [
            "", "2026-11-21", "2026-13-21T09:30:00Z", "2026-11-21T09:30:00.Z", "2026-11-21T09:30:00.1234567Z",
            "x026-11-21T09:30:00Z",
        ] {
            #expect(Instant(text: text) == nil, "\(text)")
        }
        #expect(Instant(text: "1970-01-01T00:00:00.5Z") == Instant(microseconds: 500_000))
    }

    @Test func sagaIDsReadAndWriteUUIDs() {
        let text = "018f3a1c-9be0-7d00-8000-00000000abcd"
        #expect(SagaID(text)?.description == text)
        #expect(SagaID(text.uppercased())?.description == text)
        for text in [
            "", "018f", "018f3a1c9be07d00800000000000abcd", "018f3a1c-9be0-7d00-8000-00000000abcg", text + "0",
            "-" + text.dropFirst(),
        ] {
            #expect(SagaID(text) == nil, "\(text)")
        }
    }

    @Test func eventTypesHaveTheContractsNames() {
        #expect(
            EventType.allCases.map(\.name) == [
                "SagaStarted", "StepStarted", "StepSucceeded", "StepAttemptFailed", "StepFailed", "StepSkipped",
                "StepDeferred", "CompensationDeferred", "SagaCompensating", "CompensationStarted",
                "CompensationSucceeded", "CompensationAttemptFailed", "CompensationFailed", "SagaCompleted",
                "SagaCompensated", "SagaStuck", "SagaCancelRequested", "SagaPaused", "SagaResumed", "StepResolved",
                "SagaRetried", "SagaTerminated", "SagaCompensationRequested",
            ])
    }
}
