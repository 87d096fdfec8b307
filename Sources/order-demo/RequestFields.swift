import JSON

/// The members of a request's JSON object, read with the checks that keep bad input out of the services.
///
/// Every reader throws a 400 `ServiceError` that names the member and what it should be.
struct RequestFields: Sendable {
    private let members: JSONObject

    init(_ body: [UInt8]) throws(ServiceError) {
        let json: JSON
        do {
            json = try JSON.parse(body, limits: JSONLimits(maximumDepth: 16, maximumBytes: 1 << 20))
        } catch {
            throw .badRequest("the body is not JSON: \(error)")
        }
        guard case .object(let members) = json else {
            throw .badRequest("the body must be a JSON object")
        }
        self.members = members
    }

    private init(members: JSONObject) {
        self.members = members
    }

    /// A text of 1 to 255 bytes.
    func text(_ name: String) throws(ServiceError) -> String {
        guard let text = try optionalText(name) else {
            throw .badRequest("\"\(name)\" is missing")
        }
        return text
    }

    /// As `text`, or nil when the member is absent or null.
    func optionalText(_ name: String) throws(ServiceError) -> String? {
        switch members[name] {
        case nil, .null:
            return nil
        case .string(let text):
            guard (1...255).contains(text.utf8.count), !text.utf8.contains(0) else {
                throw .badRequest("\"\(name)\" must have 1 to 255 bytes and no NUL")
            }
            return text
        default:
            throw .badRequest("\"\(name)\" must be a string")
        }
    }

    /// A whole number, written as one, in the range.
    func integer(_ name: String, in range: ClosedRange<Int64>) throws(ServiceError) -> Int64 {
        guard let member = members[name] else { throw .badRequest("\"\(name)\" is missing") }
        guard case .number(let number) = member, let value = number.int64, range.contains(value) else {
            throw .badRequest("\"\(name)\" must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A list of 1 to 100 objects.
    func objects(_ name: String) throws(ServiceError) -> [RequestFields] {
        guard case .array(let elements)? = members[name], (1...100).contains(elements.count) else {
            throw .badRequest("\"\(name)\" must be a list of 1 to 100 objects")
        }
        var objects: [RequestFields] = []
        for element in elements {
            guard case .object(let members) = element else {
                throw .badRequest("\"\(name)\" must be a list of objects")
            }
            objects.append(RequestFields(members: members))
        }
        return objects
    }
}
