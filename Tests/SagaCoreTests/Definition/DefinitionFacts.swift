import JSON
import SagaCore

/// All that a definition holds, a fact a line, so that a test can state the whole.
func facts(_ definition: Definition) -> [String] {
    var facts = ["saga \(definition.name)"]
    if let description = definition.description { facts.append("description \(description)") }
    if let schema = definition.inputSchema { facts.append("input \(schema.json)") }
    if let deadline = definition.deadline { facts.append("deadline \(deadline.microseconds)us") }
    facts.append("on compensation failure \(definition.onCompensationFailure)")
    facts += definition.services.map(fact)
    for (index, step) in definition.steps.enumerated() {
        let after = definition.graph.predecessors[index].map { definition.steps[$0].name }
        facts.append(
            "step \(step.name) after \(after) \(step.compensateWhen)" + (step.isPivot ? " pivot" : "")
                + (step.when.map { " when {\($0.source)}" } ?? "")
        )
        if let action = step.action { facts.append("  action \(fact(action))") }
        if let compensation = step.compensation { facts.append("  compensation \(fact(compensation))") }
    }
    if let output = definition.output { facts.append("output \(fact(output))") }
    return facts
}

private func fact(_ service: Service) -> String {
    var fact = "service \(service.name) \(service.url)"
    for header in service.headers { fact += " \(header.name)=\(header.value)" }
    if let most = service.maxConcurrent { fact += " at most \(most)" }
    if let limit = service.rateLimit { fact += " \(limit.calls) per \(limit.per.microseconds)us" }
    if service.settings.whenOpen != .defer { fact += " when open \(service.settings.whenOpen)" }
    guard let breaker = service.circuitBreaker else { return fact + " no breaker" }
    return breaker == CircuitBreakerSettings() ? fact : fact + " breaker \(breakerFact(breaker))"
}

private func breakerFact(_ breaker: CircuitBreakerSettings) -> String {
    "\(breaker.failureRateThreshold)% \(breaker.slowCallRateThreshold)% \(breaker.slowCallDurationThreshold.seconds)s "
        + "\(breaker.slidingWindowType.rawValue) \(breaker.slidingWindowSize) \(breaker.minimumNumberOfCalls) "
        + "\(breaker.waitDurationInOpenState.seconds)s \(breaker.permittedNumberOfCallsInHalfOpenState) "
        + "\(breaker.maxWaitDurationInHalfOpenState.seconds)s"
        + (breaker.enableExponentialBackoff ? " x\(breaker.exponentialBackoffMultiplier)" : "")
        + (breaker.exponentialMaxWaitDurationInOpenState.map { " up to \($0.seconds)s" } ?? "")
}

private func fact(_ operation: Operation) -> String {
    let retry = operation.retry
    let kind =
        switch operation.kind {
        case .noop: "noop"
        case .pass(let template): "pass \(fact(template))"
        case .http(let http): fact(http)
        }
    let outcomes = operation.outcomes.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    return
        "\(kind) \(operation.timeout.seconds)s\(outcomes) retry \(retry.maximumAttempts) \(retry.initialInterval.seconds)s "
        + "x\(retry.backoffCoefficient) \(retry.maximumInterval.seconds)s \(retry.jitter) "
        + "+\(retry.retryableErrors) -\(retry.nonRetryableErrors)"
}

private func fact(_ http: HTTPOperation) -> String {
    var fact = "\(http.method) service \(http.service) \(SagaCoreTests.fact(http.path))"
    for item in http.query { fact += " ?\(item.name)=\(SagaCoreTests.fact(item.value))" }
    for header in http.headers { fact += " \(header.name): \(SagaCoreTests.fact(header.value))" }
    if let body = http.body { fact += " body \(SagaCoreTests.fact(body))" }
    return fact
}

/// Expressions stand in braces, literals of texts in quotes.
func fact(_ template: Template) -> String {
    switch template {
    case .constant(let json): json.text
    case .expression(let program): "{\(program.source)}"
    case .text(let parts):
        "text("
            + parts.map {
                switch $0 {
                case .literal(let text): "\"\(text)\""
                case .expression(let program): "{\(program.source)}"
                }
            }.joined(separator: " ") + ")"
    case .array(let elements): "[" + elements.map(fact).joined(separator: ", ") + "]"
    case .object(let members): "{" + members.map { "\($0.key): \(fact($0.value))" }.joined(separator: ", ") + "}"
    }
}
