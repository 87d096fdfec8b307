import SagaCore

extension SagaStatus {
    /// How the status is coloured.
    var style: Style? {
        switch self {
        case .pending: .dim
        case .running: .blue
        case .compensating: .magenta
        case .stuck: .boldRed
        case .completed: .green
        case .compensated: .yellow
        case .terminated: .red
        }
    }
}

extension StepStatus {
    /// How the status is coloured.
    var style: Style? {
        switch self {
        case .pending, .skipped: .dim
        case .running: .blue
        case .backoff, .deferred: .yellow
        case .succeeded: .green
        case .failed: .red
        case .inDoubt, .compensationFailed: .boldRed
        case .compensating: .magenta
        case .compensated: .yellow
        }
    }
}

extension CompensationStatus {
    /// How the status is coloured.
    var style: Style? {
        switch self {
        case .pending: .dim
        case .running: .blue
        case .backoff, .deferred: .yellow
        case .succeeded: .green
        case .failed: .boldRed
        }
    }
}
