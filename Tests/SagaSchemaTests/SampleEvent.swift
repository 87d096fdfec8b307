/// An event as a daemon or an operator writes it, for histories made by hand.
struct SampleEvent: Sendable {
    let type: Int16
    let data: String?

    private init(_ type: Int16, _ data: String?) {
        self.type = type
        self.data = data
    }

    static func raw(_ type: Int16, _ data: String?) -> SampleEvent { SampleEvent(type, data) }

    // MARK: The action of a step

    static func begun(_ step: String, _ attempt: Int) -> SampleEvent {
        SampleEvent(2, #"{"step":"\#(step)","attempt":\#(attempt)}"#)
    }

    static func done(_ step: String, _ attempt: Int, _ output: String = "null") -> SampleEvent {
        SampleEvent(3, #"{"step":"\#(step)","attempt":\#(attempt),"outcome":"done","output":\#(output)}"#)
    }

    static func again(_ step: String, _ attempt: Int, _ outcome: String, _ error: String) -> SampleEvent {
        SampleEvent(4, ended(step, attempt, outcome, error, #","nextAttemptAt":"2030-01-01T00:00:00.000Z""#))
    }

    static func failed(_ step: String, _ attempt: Int, _ outcome: String, _ error: String) -> SampleEvent {
        SampleEvent(5, ended(step, attempt, outcome, error))
    }

    static func skipped(_ step: String) -> SampleEvent { SampleEvent(6, #"{"step":"\#(step)"}"#) }

    static func deferred(_ step: String) -> SampleEvent { SampleEvent(7, put(off: step)) }

    // MARK: Its compensation

    static func undoDeferred(_ step: String) -> SampleEvent { SampleEvent(8, put(off: step)) }

    static func undoBegun(_ step: String, _ attempt: Int) -> SampleEvent {
        SampleEvent(10, #"{"step":"\#(step)","attempt":\#(attempt)}"#)
    }

    static func undone(_ step: String, _ attempt: Int) -> SampleEvent {
        SampleEvent(11, #"{"step":"\#(step)","attempt":\#(attempt),"outcome":"done","output":{"undone":true}}"#)
    }

    static func undoAgain(_ step: String, _ attempt: Int, _ outcome: String, _ error: String) -> SampleEvent {
        SampleEvent(12, ended(step, attempt, outcome, error, #","nextAttemptAt":"2030-01-01T00:00:00.000Z""#))
    }

    static func undoFailed(_ step: String, _ attempt: Int, _ outcome: String, _ error: String) -> SampleEvent {
        SampleEvent(13, ended(step, attempt, outcome, error))
    }

    // MARK: The saga

    static func turned(_ step: String?, _ error: String) -> SampleEvent { SampleEvent(9, failure(step, error)) }

    static func completed(_ output: String) -> SampleEvent { SampleEvent(14, #"{"output":\#(output)}"#) }

    static let compensated = SampleEvent(15, nil)

    static func stuck(_ step: String?, _ error: String) -> SampleEvent { SampleEvent(16, failure(step, error)) }

    static let cancelRequested = SampleEvent(17, act)

    static let paused = SampleEvent(18, act)

    static let resumed = SampleEvent(19, act)

    static func resolved(
        _ step: String,
        _ operation: String,
        _ resolution: String,
        _ output: String? = nil
    ) -> SampleEvent {
        let output = output.map { #","output":\#($0)"# } ?? ""
        return SampleEvent(
            20,
            #"{"step":"\#(step)","operation":"\#(operation)","resolution":"\#(resolution)"\#(output),"#
                + #""actor":"a","reason":"r"}"#
        )
    }

    static let retried = SampleEvent(21, act)

    static let terminated = SampleEvent(22, act)

    static let compensationRequested = SampleEvent(23, act)

    private static let act = #"{"actor":"alice","reason":"because"}"#

    private static func put(off step: String) -> String {
        #"{"step":"\#(step)","until":"2030-01-01T00:00:00.000Z","reason":"breaker open"}"#
    }

    private static func failure(_ step: String?, _ error: String) -> String {
        let step = step.map { #""step":"\#($0)","# } ?? ""
        return #"{\#(step)"error":"\#(error)","message":"\#(error) happened"}"#
    }

    private static func ended(
        _ step: String,
        _ attempt: Int,
        _ outcome: String,
        _ error: String,
        _ more: String = ""
    ) -> String {
        #"{"step":"\#(step)","attempt":\#(attempt),"outcome":"\#(outcome)","error":"\#(error)","message":"m"\#(more)}"#
    }
}
