import CEL
import JSON

extension HTTPOperation {
    /// The request with every expression evaluated: the same on every attempt, since what it reads has ended.
    func rendered(
        _ activation: CELActivation, operation: Operation, services: [Service]
    ) throws(CELError) -> HTTPRequest {
        guard services.indices.contains(service) else {
            throw CELError(offset: 0, message: "the definition has no such service", hint: nil)
        }
        var target = try path.evaluateText(activation, percentEncoding: true)
        for (index, item) in query.enumerated() {
            let value = try item.value.evaluateText(activation, percentEncoding: true)
            target +=
                "\(index == 0 && !target.contains("?") ? "?" : "&")\(URLSyntax.percentEncoded(item.name))=\(value)"
        }
        var headers: [Service.Header] = []
        for header in self.headers {
            headers.append(
                Service.Header(
                    name: header.name, value: try header.value.evaluateText(activation, percentEncoding: false)))
        }
        var body: RawJSON?
        if let template = self.body { body = try template.evaluateRaw(activation, limits: .request) }
        return HTTPRequest(
            service: services[service], method: method, target: target, headers: headers, body: body,
            outcomes: operation.outcomes)
    }
}
