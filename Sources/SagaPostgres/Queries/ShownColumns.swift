import SagaCore
import SagaEngine

/// Columns of `saga.state s JOIN saga.sagas v`, which has no name for a status that is none: such a saga is shown as one
/// that can't be read, whether or not a daemon has set it aside yet.
enum ShownColumns {
    static let status = "coalesce(v.status, '\(SagaStatus.stuck.name)')"
    /// Of the failure.
    static let step = "CASE WHEN v.status IS NOT NULL THEN v.failure ->> 'step' END"
    /// Of the failure.
    static let error = "CASE WHEN v.status IS NULL THEN '\(EngineError.unreadable)' ELSE v.failure ->> 'error' END"

    /// Whether the status of `saga.state s` is one.
    static let hasStatus = "s.status BETWEEN 1 AND 7"
}
