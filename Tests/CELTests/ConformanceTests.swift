import CEL
import Foundation
import JSON
import Testing

@Suite struct ConformanceTests {
    private struct KnownFailure {
        let id: String
        let reason: String
        /// The engine from outside with which the case passes, if there is one.
        let needs: String?
    }

    private func knownFailures() throws -> [KnownFailure] {
        try #require(ConformanceCase.resource("known-failures").arrayValue).map {
            KnownFailure(
                id: try #require($0["case"]?.stringValue),
                reason: try #require($0["reason"]?.stringValue),
                needs: $0["needs"]?.stringValue
            )
        }
    }

    @Test func everyCasePassesOrIsListedWithAReason() throws {
        let cases = try ConformanceCase.all()
        #expect(cases.count == 1_337)
        #expect(Set(cases.map(\.id)).count == cases.count)
        let listed = Set(try knownFailures().map(\.id))
        var failed: Set<String> = []
        for one in cases {
            guard let failure = try one.failure(in: CELEnvironment()) else { continue }
            failed.insert(one.id)
            if !listed.contains(one.id) { Issue.record("\(one.id): \(one.expression) gave \(failure)") }
        }
        #expect(listed.subtracting(failed).sorted() == [], "listed cases that pass")
    }

    /// The seam for time zones, with Foundation's database behind it.
    @Test func casesThatNeedAnEnginePassWithOne() throws {
        let needing = try knownFailures().filter { $0.needs != nil }
        let cases = Dictionary(uniqueKeysWithValues: try ConformanceCase.all().map { ($0.id, $0) })
        let environment = CELEnvironment(timeZones: FoundationTimeZones())
        for failure in needing {
            let one = try #require(cases[failure.id])
            #expect(try one.failure(in: environment) == nil, "\(one.id): \(one.expression)")
        }
        #expect(Set(needing.compactMap(\.needs)) == ["timeZones"])
    }
}

struct FoundationTimeZones: CELTimeZones {
    func secondsAhead(of zone: String, at unixSeconds: Int64) -> Int? {
        TimeZone(identifier: zone)?.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(unixSeconds)))
    }
}
