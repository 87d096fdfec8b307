import ArgumentParser

/// The four participants of the order saga.
enum ServiceName: String, CaseIterable, Sendable, ExpressibleByArgument {
    case inventory, payment, shipping, notification

    /// The port that `sagas/order.json` expects the service on unless the environment says otherwise.
    var defaultPort: Int {
        switch self {
        case .inventory: 7001
        case .payment: 7003
        case .shipping: 7005
        case .notification: 7007
        }
    }
}
