import SagaCore

/// What must be so of every run of a fleet.
struct FleetChecks {
    let ledger: FleetLedger.State
    let plan: FleetPlan

    init(_ ledger: FleetLedger.State, plan: FleetPlan) {
        self.ledger = ledger
        self.plan = plan
    }

    /// All that is wrong, each a sentence.
    var problems: [String] { [] }
}
