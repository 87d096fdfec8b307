import JSON

/// What `saga status` shows of a whole installation.
public struct Overview: Sendable, Hashable {
    /// How many sagas stand where; a status that is missing has none.
    public let sagas: [SagaStatus: Int]
    /// What needs a person, the longest waiting first.
    public let attention: [Attention]
    /// The saga whose time to be taken up came, or comes, first; nil when none waits.
    public let oldestDue: Due?
    /// In the order in which they joined.
    public let daemons: [Daemon]
    /// By service.
    public let breakers: [Breaker]

    /// Stuck sagas that have one reason in common.
    public struct Attention: Sendable, Hashable {
        public let saga: String
        public let step: String?
        public let error: String
        public let count: Int
        /// Since when the first of them has been stuck.
        public let oldest: Instant
        /// The one saga, when there is no other.
        public let id: SagaID?

        public init(saga: String, step: String?, error: String, count: Int, oldest: Instant, id: SagaID? = nil) {
            self.id = id
            self.saga = saga
            self.step = step
            self.error = error
            self.count = count
            self.oldest = oldest
        }
    }

    /// A saga that waits for a time.
    public struct Due: Sendable, Hashable {
        public let id: SagaID
        public let saga: String
        /// The step whose operation is due; nil when it is the saga as a whole.
        public let step: String?
        public let dueAt: Instant

        public init(id: SagaID, saga: String, step: String?, dueAt: Instant) {
            self.id = id
            self.saga = saga
            self.step = step
            self.dueAt = dueAt
        }
    }

    /// One service's circuit breaker.
    public struct Breaker: Sendable, Hashable {
        public let service: String
        /// As the definition writes it.
        public let url: String
        /// `CLOSED` and so on: `BreakerState`.
        public let state: String
        public let since: Instant
        /// When an open one lets the next calls through to see.
        public let nextProbe: Instant?

        public init(service: String, url: String, state: String, since: Instant, nextProbe: Instant?) {
            self.service = service
            self.url = url
            self.state = state
            self.since = since
            self.nextProbe = nextProbe
        }
    }

    /// One incarnation of a daemon.
    public struct Daemon: Sendable, Hashable {
        public let id: Int
        public let host: String
        public let pid: Int
        public let epoch: Int
        public let leaseUntil: Instant
        /// How many sagas it runs in memory.
        public let sagas: Int

        public init(id: Int, host: String, pid: Int, epoch: Int, leaseUntil: Instant, sagas: Int) {
            self.id = id
            self.host = host
            self.pid = pid
            self.epoch = epoch
            self.leaseUntil = leaseUntil
            self.sagas = sagas
        }
    }

    public init(
        sagas: [SagaStatus: Int], attention: [Attention], oldestDue: Due?, daemons: [Daemon],
        breakers: [Breaker] = []
    ) {
        self.breakers = breakers
        self.sagas = sagas
        self.attention = attention
        self.oldestDue = oldestDue
        self.daemons = daemons
    }

    /// The overview as compact JSON.
    public var json: RawJSON {
        var writer = JSONWriter(reservingCapacity: 512)
        writer.beginObject()
        writer.key("sagas")
        writer.beginObject()
        for status in SagaStatus.allCases { writer.field(status.name, sagas[status] ?? 0) }
        writer.endObject()
        writer.key("attention")
        writer.beginArray()
        for item in attention { item.write(to: &writer) }
        writer.endArray()
        writer.key("oldestDue")
        if let oldestDue { oldestDue.write(to: &writer) } else { writer.null() }
        writer.key("daemons")
        writer.beginArray()
        for daemon in daemons { daemon.write(to: &writer) }
        writer.endArray()
        writer.key("breakers")
        writer.beginArray()
        for breaker in breakers { breaker.write(to: &writer) }
        writer.endArray()
        writer.endObject()
        return writer.finished()
    }
}

extension Overview.Attention {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("saga", saga)
        writer.field("step", step)
        writer.field("error", error)
        writer.field("count", count)
        writer.field("oldest", oldest.text)
        writer.endObject()
    }
}

extension Overview.Due {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("id", id.description)
        writer.field("saga", saga)
        writer.field("step", step)
        writer.field("dueAt", dueAt.text)
        writer.endObject()
    }
}

extension Overview.Breaker {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("service", service)
        writer.field("state", state)
        writer.field("since", since.text)
        writer.field("nextProbe", nextProbe?.text)
        writer.field("url", url)
        writer.endObject()
    }
}

extension Overview.Daemon {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("id", id)
        writer.field("host", host)
        writer.field("pid", pid)
        writer.field("epoch", epoch)
        writer.field("leaseUntil", leaseUntil.text)
        writer.field("sagas", sagas)
        writer.endObject()
    }
}

extension SagaState {
    /// The step whose operation is to be taken up first, of those that wait for a time; nil when none does.
    public func firstStepDue(in definition: Definition) -> String? {
        var first: (step: Int, at: Instant)?
        for (index, step) in steps.enumerated() {
            guard let at = forwardIsOver ? step.compensation.dueAt : step.action.dueAt else { continue }
            if first.map({ at < $0.at }) ?? true { first = (index, at) }
        }
        return first.flatMap { definition.steps.indices.contains($0.step) ? definition.steps[$0.step].name : nil }
    }
}
