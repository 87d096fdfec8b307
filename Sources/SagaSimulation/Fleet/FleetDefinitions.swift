import SagaCore

/// Definitions drawn at random, as the files that one would write.
struct FleetDefinitions {
    private let dice: Dice
    private let services: [(name: String, json: String)]

    /// - Parameter services: how many there are to call.
    init(_ dice: Dice, services count: Int) {
        self.dice = dice
        services = ["a", "b", "c"].prefix(count).map { ($0, FleetDefinitions.service($0, dice)) }
    }

    /// - Returns: nil for a file that the validator refuses, which is a fault of this generator.
    func definition(_ name: String) -> Drawn? {
        let goesOn = dice.chance(400)
        let bytes = Array(text(name, goesOn: goesOn).utf8)
        return DefinitionParser.parse(bytes, file: "\(name).json").definition.map {
            Drawn(bytes: bytes, definition: $0, isHalting: !goesOn)
        }
    }

    struct Drawn {
        let bytes: [UInt8]
        let definition: Definition
        /// Whether a failed undoing is to stop the others, whatever came of it in reading the file.
        let isHalting: Bool
    }

    private static func service(_ name: String, _ dice: Dice) -> String {
        var parts = [#""url": "http://\#(name)""#]
        if dice.chance(500) { parts.append(#""maxConcurrent": \#(dice.roll(1...5))"#) }
        if dice.chance(400) {
            parts.append(
                #""rateLimit": {"calls": \#(dice.roll(2...30)), "per": "\#(dice.roll(2...10) * 100)ms"}"#)
        }
        if dice.chance(200) { parts.append(#""whenOpen": "fail""#) }
        if dice.chance(250) {
            parts.append(#""circuitBreaker": false"#)
        } else {
            // One that never has enough calls to open counts them all.
            let isLong = dice.chance(250)
            let size = isLong ? 10_000 : dice.roll(2...8)
            let least = isLong ? size : dice.roll(1...size)
            let slow = dice.chance(300) ? #", "slowCallDurationThreshold": "100ms", "slowCallRateThreshold": 60"# : ""
            let window = dice.chance(250) ? #", "slidingWindowType": "TIME_BASED""# : ""
            let longest = dice.chance(300) ? #", "maxWaitDurationInHalfOpenState": "\#(dice.roll(1...2))s""# : ""
            parts.append(
                #""circuitBreaker": {"slidingWindowSize": \#(size), "minimumNumberOfCalls": \#(least), "#
                    + #""failureRateThreshold": \#(dice.roll(3...9) * 10), "#
                    + #""waitDurationInOpenState": "\#(dice.roll(2...15) * 100)ms", "#
                    + #""permittedNumberOfCallsInHalfOpenState": \#(dice.roll(1...3))\#(slow)\#(window)\#(longest)}"#)
        }
        return #""\#(name)": {\#(parts.joined(separator: ", "))}"#
    }

    private func text(_ name: String, goesOn: Bool) -> String {
        let count = dice.roll(1...6)
        let pivot = dice.chance(300) ? dice.roll(count) : nil
        let isChain = dice.chance(300)
        let isWide = !isChain && dice.chance(300)
        var steps: [String] = []
        var isFollowed = Array(repeating: false, count: count)
        for index in 0..<count {
            var after: [Int] = []
            if isChain {
                after = index > 0 ? [index - 1] : []
            } else if !isWide {
                after = (0..<index).filter { _ in dice.chance(400) }
            }
            if let pivot, index == pivot { after = (0..<index).filter { !isFollowed[$0] } }
            if let pivot, index > pivot, !after.contains(where: { $0 >= pivot }) { after.append(pivot) }
            for before in after { isFollowed[before] = true }
            steps.append(step(index, after: after, pivot: pivot))
        }
        var parts = [#""saga": "\#(name)""#, #""services": {\#(services.map(\.json).joined(separator: ", "))}"#]
        if dice.chance(250) { parts.append(#""deadline": "\#(dice.roll(1...40) * 100)ms""#) }
        if goesOn {
            parts.append(#""onCompensationFailure": "continue""#)
        } else if dice.chance(300) {
            parts.append(#""onCompensationFailure": "halt""#)
        }
        parts.append(#""steps": [\#(steps.joined(separator: ",\n  "))]"#)
        return "{\(parts.joined(separator: ", "))}"
    }

    private func step(_ index: Int, after: [Int], pivot: Int?) -> String {
        let names = after.map { "\"s\($0)\"" }.joined(separator: ", ")
        var parts = [#""name": "s\#(index)""#, #""after": [\#(names)]"#]
        if pivot == index { parts.append(#""pivot": true"#) }
        if dice.chance(150) { parts.append(#""when": "${ input.n > \#(dice.roll(10)) }""#) }
        let isBeforePivot = pivot.map { index < $0 } ?? true
        let kind = pivot == index ? 0 : dice.roll(20)
        switch kind {
        case 0...15:
            let path = dice.chance(50) ? "/do/${ input.missing.deeper }" : "/do/s\(index)"
            parts.append(#""action": {\#(http("POST", path)), \#(limits(retry(1...4)))}"#)
        case 16: parts.append(#""action": {\#(http("GET", "/look")), \#(limits(retry(1...3)))}"#)
        case 17: parts.append(#""action": {"noop": {}}"#)
        case 18: parts.append(#""action": {"pass": {"n": "${ input.n }"}}"#)
        default:
            if !isBeforePivot { parts.append(#""action": {"noop": {}}"#) }
        }
        let isCall = kind <= 15
        if isBeforePivot, isCall || kind > 18 || dice.chance(200) {
            if isCall, dice.chance(150) {
                parts.append(#""compensation": "none""#)
            } else {
                parts.append(
                    #""compensation": {\#(http("POST", "/undo/s\(index)")), \#(limits(retry(2...6)))}"#)
                let when = dice.pick(["succeeded", "uncertain", "uncertain", "uncertain", "attempted"]) ?? "uncertain"
                parts.append(#""compensateWhen": "\#(when)""#)
            }
        }
        return "{\(parts.joined(separator: ", "))}"
    }

    private func http(_ method: String, _ path: String) -> String {
        let service = dice.pick(services)?.name ?? "a"
        let body = method == "POST" && dice.chance(300) ? #", "body": {"n": "${ input.n }"}"# : ""
        return #""http": {"service": "\#(service)", "method": "\#(method)", "path": "\#(path)"\#(body)}"#
    }

    private func limits(_ retry: String) -> String {
        #""timeout": "\#(dice.chance(200) ? 3_000 : dice.roll(2...15) * 50)ms", "retry": \#(retry)"#
    }

    private func retry(_ attempts: ClosedRange<Int>) -> String {
        let count = dice.chance(150) ? 0 : dice.roll(attempts)
        let jitter = dice.pick(["none", "full", "equal"]) ?? "none"
        return #"{"maximumAttempts": \#(count), "initialInterval": "\#(dice.roll(1...20) * 20)ms", "#
            + #""maximumInterval": "\#(dice.roll(5...10) * 100)ms", "jitter": "\#(jitter)"}"#
    }
}
