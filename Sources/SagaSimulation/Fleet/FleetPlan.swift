import SagaCore
import SagaEngine

/// What a seed means: the daemons, sagas, services and faults of one simulation.
struct FleetPlan: Sendable {
    /// What may go wrong by itself, each so many times in a thousand where it can.
    enum Fault: Int, Sendable, CaseIterable {
        case dieBeforeCommit, dieAfterCommit, dieBeforeCall, dieAfterCall, pauseBeforeCommit, pauseBeforeCall
        case pauseBetweenJobs, pauseOnTheWay
        case doubtDone, doubtUndone, doubtLater, conflict, refuse, block, loseAnswer, loseRenewal, slow, serviceDoubt
        case participantRefuses, undoRefused, unreachable, unhealthy, loseResponse, timeout, straggle, duplicate,
            retryAfter
        case tooMany, slowAnswer
    }

    /// What happens at a time.
    enum Act: Sendable {
        case startSaga(Int, definition: Int, input: Int)
        case launch
        case kill, drain
        case pause(TimeSpan)
        case outage(TimeSpan)
        case partition(TimeSpan)
        case slowStore(TimeSpan)
        case person(OperatorCommand, saga: Int)
        case breaker(BreakerCommand, service: Int)
    }

    let documents: [[UInt8]]
    let definitions: [Definition]
    /// Of each definition whether a failed undoing stops the others.
    let isHalting: [Bool]
    let services: [Service]
    let sagaCount: Int
    let configuration: EngineConfiguration
    /// In the order of time.
    let acts: [(at: TimeSpan, act: Act)]
    /// From then on nothing goes wrong any more.
    let healAt: TimeSpan
    private let rates: [Int]

    func rate(of fault: Fault) -> Int { rates[fault.rawValue] }

    /// nil when a definition drawn isn't valid.
    init?(_ dice: Dice) {
        let generator = FleetDefinitions(dice, services: dice.roll(1...3))
        var documents: [[UInt8]] = []
        var definitions: [Definition] = []
        var isHalting: [Bool] = []
        for index in 0..<dice.roll(1...2) {
            guard let drawn = generator.definition("d\(index)") else { return nil }
            documents.append(drawn.bytes)
            definitions.append(drawn.definition)
            isHalting.append(drawn.isHalting)
        }
        self.documents = documents
        self.definitions = definitions
        self.isHalting = isHalting
        services = definitions[0].services
        sagaCount = dice.chance(900) ? dice.roll(3...8) : dice.roll(9...30)
        var configuration = FleetPlan.configuration(dice)
        // Calls that wait for one another while their daemon is cut off: the lease ends before they go out.
        let isNarrow = dice.chance(100)
        if isNarrow { configuration.concurrency = 1 }
        self.configuration = configuration
        healAt = dice.milliseconds(2_000...5_000)
        rates = FleetPlan.rates(dice)
        acts = FleetPlan.acts(
            dice, sagas: sagaCount, definitions: definitions, healAt: healAt, partitions: isNarrow ? 4 : 0)
    }

    /// Each kind of fault is there in some runs and not in others, so that they don't always hide one another: "swarm
    /// testing" (Groce, Zhang, Eide, Chen, Regehr 2012).
    private static func rates(_ dice: Dice) -> [Int] {
        let isCalm = dice.chance(50)
        return Fault.allCases.map { fault in
            let most: Int
            switch fault {
            case .dieBeforeCommit, .dieAfterCommit, .dieBeforeCall, .dieAfterCall: most = 20
            case .pauseBeforeCommit, .pauseBeforeCall, .pauseBetweenJobs, .pauseOnTheWay: most = 30
            case .refuse: most = 10
            case .loseAnswer, .loseRenewal, .slow, .block, .conflict, .serviceDoubt: most = 60
            case .doubtDone, .doubtUndone, .doubtLater: most = 60
            case .participantRefuses, .duplicate, .retryAfter, .tooMany: most = 100
            case .undoRefused, .unreachable, .unhealthy, .loseResponse, .timeout, .straggle, .slowAnswer: most = 250
            }
            return !isCalm && dice.chance(500) ? dice.roll(1...most) : 0
        }
    }

    private static func configuration(_ dice: Dice) -> EngineConfiguration {
        var configuration = EngineConfiguration()
        configuration.leaseLength = dice.milliseconds(600...2_000)
        configuration.parkAfter = dice.milliseconds(50...1_000)
        configuration.probeInterval = TimeSpan(microseconds: 100)
        configuration.busyProbeInterval = TimeSpan(microseconds: 100)
        configuration.serviceReview = dice.milliseconds(500...3_000)
        configuration.drainTimeout = dice.milliseconds(20...1_000)
        configuration.concurrency = dice.chance(300) ? dice.roll(1...4) : 256
        configuration.maximumSagas = dice.chance(200) ? dice.roll(4...8) : 4_096
        configuration.claimSize = dice.chance(300) ? dice.roll(1...4) : 256
        configuration.batchSize = dice.chance(300) ? dice.roll(1...3) : 512
        configuration.joinSize = dice.roll(1...8)
        configuration.writers = dice.roll(1...3)
        configuration.waitingRoom = dice.chance(300) ? dice.roll(1...3) : 1_024
        return configuration
    }

    private static func acts(
        _ dice: Dice, sagas: Int, definitions: [Definition], healAt: TimeSpan, partitions: Int
    ) -> [(at: TimeSpan, act: Act)] {
        let length = Int(healAt.microseconds / 1_000)
        var acts: [(at: TimeSpan, act: Act)] = []
        for _ in 0..<dice.roll(2...4) {
            acts.append((dice.chance(700) ? .zero : dice.milliseconds(0...length / 2), .launch))
        }
        for saga in 0..<sagas {
            let act = Act.startSaga(saga, definition: dice.roll(definitions.count), input: dice.roll(10))
            acts.append((dice.milliseconds(0...(dice.chance(500) ? 300 : length * 2 / 3)), act))
        }
        for _ in 0..<dice.roll(0...4) { acts.append((dice.milliseconds(1...length), incident(dice))) }
        for _ in 0..<partitions {
            acts.append((dice.milliseconds(1...length), .partition(dice.milliseconds(700...3_000))))
        }
        for _ in 0..<dice.roll(0...sagas) {
            let saga = dice.roll(sagas)
            let step = "s\(dice.roll(4))"
            let command: OperatorCommand =
                switch dice.roll(20) {
                case 0...4: .cancel
                case 5...7: .pause
                case 8...10: .resume
                case 11...13: .retry
                case 14: .resolve(step: step, .done, output: nil)
                case 15: .resolve(step: step, .undone, output: nil)
                case 16: .terminate
                default: .compensate
                }
            acts.append((dice.milliseconds(1...length), .person(command, saga: saga)))
        }
        if dice.chance(250) {
            for _ in 0..<dice.roll(1...3) {
                let command = dice.pick(BreakerCommand.allCases) ?? .reset
                let service = dice.roll(definitions[0].services.count)
                acts.append((dice.milliseconds(1...length), .breaker(command, service: service)))
            }
        }
        return acts.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
    }

    private static func incident(_ dice: Dice) -> Act {
        switch dice.roll(8) {
        case 0: .launch
        case 1: .kill
        case 2: .drain
        case 3, 4: .pause(dice.milliseconds(10...4_000))
        case 5: .outage(dice.milliseconds(20...2_000))
        case 6: .partition(dice.milliseconds(50...3_000))
        default: .slowStore(dice.milliseconds(100...1_000))
        }
    }
}
