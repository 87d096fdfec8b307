import JSON

/// What each keyword does.
extension Validation {
    mutating func run(_ check: SchemaCheck, of node: SchemaNode, on value: JSON, _ tracker: Tracker?) -> Bool {
        switch check {
        case .types(let types):
            guard spend(value.numberValue?.digitsCost ?? 0) else { return false }
            return types.allows(value) || fail(node, "type", "must be \(types.noun), not \(Message.noun(value))")
        case .constant(let constant, let weight): return equals(constant, weight, value, node)
        case .enumeration(let values, let listed): return isOne(of: values, listed, value, node)
        case .minimum, .maximum, .exclusiveMinimum, .exclusiveMaximum, .multipleOf: return number(check, value, node)
        case .minLength, .maxLength, .pattern, .format: return text(check, value, node)
        case .minItems, .maxItems, .uniqueItems: return array(check, value, node)
        case .minProperties, .maxProperties, .required, .dependentRequired: return object(check, value, node)
        case .members(let rules): return members(rules, value, node, tracker)
        case .memberNames(let names): return memberNames(names, value, node)
        case .items(let prefix, let rest): return items(prefix, rest, value, tracker)
        case .contains(let item, let least, let most): return contains(item, least, most, value, node, tracker)
        case .unevaluatedItems(let rest): return unevaluatedItems(rest, value, tracker)
        case .unevaluatedProperties(let rest): return unevaluatedMembers(rest, value, tracker)
        default: return inPlace(check, value, node, tracker)
        }
    }

    private mutating func equals(_ constant: JSON, _ weight: Int, _ value: JSON, _ node: SchemaNode) -> Bool {
        // No more than the smaller of the two is ever looked at, in weighing as in comparing.
        guard spend(min(value.weight(limit: weight), weight)) else { return false }
        return ValueKey.areEqual(constant, value) || fail(node, "const", "must be \(Message.text(constant))")
    }

    private mutating func isOne(of values: Set<ValueKey>, _ listed: [JSON], _ value: JSON, _ node: SchemaNode) -> Bool {
        guard spend(2 * value.weight(limit: program.limits.steps)) else { return false }
        return values.contains(ValueKey(value: value)) || fail(node, "enum", "must be \(Message.alternatives(listed))")
    }

    // MARK: Scalars

    private mutating func number(_ check: SchemaCheck, _ value: JSON, _ node: SchemaNode) -> Bool {
        guard case .number(let number) = value else { return true }
        guard spend(number.digitsCost) else { return false }
        switch check {
        case .minimum(let bound):
            return !bound.isAbove(number) || fail(node, "minimum", "must be at least \(Message.text(bound.literal))")
        case .maximum(let bound):
            return !bound.isBelow(number) || fail(node, "maximum", "must be at most \(Message.text(bound.literal))")
        case .exclusiveMinimum(let bound):
            return bound.isBelow(number)
                || fail(node, "exclusiveMinimum", "must be more than \(Message.text(bound.literal))")
        case .exclusiveMaximum(let bound):
            return bound.isAbove(number)
                || fail(node, "exclusiveMaximum", "must be less than \(Message.text(bound.literal))")
        case .multipleOf(let divisor):
            return divisor.divides(number)
                || fail(node, "multipleOf", "must be a multiple of \(Message.text(divisor.literal))")
        default: return true
        }
    }

    private mutating func text(_ check: SchemaCheck, _ value: JSON, _ node: SchemaNode) -> Bool {
        guard case .string(let text) = value else { return true }
        let bytes = text.utf8.count
        switch check {
        case .minLength(let least):
            // A character has one to four bytes.
            if bytes / 4 >= least { return true }
            guard spend(bytes / 24) else { return false }
            return text.unicodeScalars.count >= least
                || fail(node, "minLength", "must have at least \(Message.count(least, "character"))")
        case .maxLength(let most):
            if bytes <= most { return true }
            guard spend(bytes / 24) else { return false }
            return text.unicodeScalars.count <= most
                || fail(node, "maxLength", "must have at most \(Message.count(most, "character"))")
        case .pattern(let pattern, let source):
            guard spend(pattern.cost(ofBytes: bytes)) else { return false }
            return pattern.isFound(in: text) || fail(node, "pattern", "must match the pattern `\(shortened(source))`")
        case .format(let format):
            guard spend(format == .regex ? ECMAPattern.parsingSteps(of: text) : 1 + bytes / 4) else { return false }
            return format.accepts(text) || fail(node, "format", "must be \(format.noun)")
        default: return true
        }
    }

    // MARK: Arrays

    private mutating func array(_ check: SchemaCheck, _ value: JSON, _ node: SchemaNode) -> Bool {
        guard case .array(let elements) = value else { return true }
        switch check {
        case .minItems(let least):
            return elements.count >= least
                || fail(node, "minItems", "must have at least \(Message.count(least, "item")), not \(elements.count)")
        case .maxItems(let most):
            return elements.count <= most
                || fail(node, "maxItems", "must have at most \(Message.count(most, "item")), not \(elements.count)")
        default:
            guard elements.count > 1 else { return true }
            // Every item is not only looked at but also kept.
            guard spend(value.weight(limit: program.limits.steps) + 5 * elements.count) else { return false }
            var first: [ValueKey: Int] = [:]
            first.reserveCapacity(elements.count)
            for (index, element) in elements.enumerated() {
                if let other = first.updateValue(index, forKey: ValueKey(value: element)) {
                    return fail(node, "uniqueItems", "has the same item at \(other) and at \(index)")
                }
            }
            return true
        }
    }

    private mutating func items(_ prefix: [Int], _ rest: Int?, _ value: JSON, _ tracker: Tracker?) -> Bool {
        guard case .array(let elements) = value else { return true }
        var fits = true
        for (index, element) in elements.enumerated() {
            guard let number = index < prefix.count ? prefix[index] : rest else { break }
            guard spend(1) else { return false }
            if index == 0, rest == nil, tracker != nil {
                guard spend(elements.count / 64) else { return false }
            }
            if rest == nil { tracker?.noteItem(index, of: elements.count) }
            if !apply(number, toItem: index, element) {
                fits = false
                guard collects else { return false }
            }
        }
        if rest != nil { tracker?.noteAllItems() }
        return fits
    }

    private mutating func contains(
        _ item: Int,
        _ least: Int,
        _ most: Int?,
        _ value: JSON,
        _ node: SchemaNode,
        _ tracker: Tracker?
    ) -> Bool {
        guard case .array(let elements) = value else { return true }
        var count = 0
        for (index, element) in elements.enumerated() {
            guard spend(1) else { return false }
            guard fits(item, element, nil) else { continue }
            count += 1
            tracker?.noteItem(index, of: elements.count)
            if tracker == nil, most == nil, count >= least { return true }
        }
        if count < least {
            let keyword = least == 1 ? "contains" : "minContains"
            return fail(
                node, keyword, "must have at least \(Message.count(least, "item")) as `contains` asks, not \(count)")
        }
        guard let most, count > most else { return stop == nil }
        return fail(
            node,
            "maxContains",
            "must have at most \(Message.count(most, "item")) as `contains` asks, not \(count)"
        )
    }

    private mutating func unevaluatedItems(_ rest: Int, _ value: JSON, _ tracker: Tracker?) -> Bool {
        guard case .array(let elements) = value, tracker?.hasAllItems != true else { return true }
        guard spend(elements.count / 8) else { return false }
        var fits = true
        for (index, element) in elements.enumerated() where tracker?.hasItem(index) != true {
            guard spend(1) else { return false }
            if !apply(rest, toItem: index, element) {
                fits = false
                guard collects else { return false }
            }
        }
        tracker?.noteAllItems()
        return fits
    }

    // MARK: Objects

    private mutating func object(_ check: SchemaCheck, _ value: JSON, _ node: SchemaNode) -> Bool {
        guard case .object(let object) = value else { return true }
        switch check {
        case .minProperties(let least):
            return object.count >= least
                || fail(
                    node, "minProperties", "must have at least \(Message.count(least, "member")), not \(object.count)")
        case .maxProperties(let most):
            return object.count <= most
                || fail(
                    node, "maxProperties", "must have at most \(Message.count(most, "member")), not \(object.count)")
        case .required(let names, let cost):
            guard spend(cost) else { return false }
            var fits = true
            for name in names where object[name] == nil {
                fits = fail(node, "required", "has no `\(shortened(name))`")
                guard collects else { return false }
            }
            return fits
        case .dependentRequired(let rules):
            var fits = true
            for rule in rules {
                guard spend(rule.nameCost) else { return false }
                guard object[rule.name] != nil else { continue }
                guard spend(rule.needsCost) else { return false }
                for name in rule.needs where object[name] == nil {
                    let message = "has `\(shortened(rule.name))`, but no `\(shortened(name))`"
                    fits = fail(node, "dependentRequired", message)
                    guard collects else { return false }
                }
            }
            return fits
        default: return true
        }
    }

    private mutating func members(
        _ rules: MemberRules,
        _ value: JSON,
        _ node: SchemaNode,
        _ tracker: Tracker?
    ) -> Bool {
        guard case .object(let object) = value else { return true }
        var fits = true
        for (position, member) in object.members.enumerated() {
            guard spend(1 + member.key.utf8.count / 64) else { return false }
            var isKnown = false
            if let number = rules.named[ExactKey(text: member.key)] {
                isKnown = true
                fits = apply(number, toMember: member.key, member.value) && fits
            }
            for (pattern, number) in rules.patterns where fits || collects {
                guard spend(pattern.cost(ofBytes: member.key.utf8.count)) else { return false }
                guard pattern.isFound(in: member.key) else { continue }
                isKnown = true
                fits = apply(number, toMember: member.key, member.value) && fits
            }
            if !isKnown, let others = rules.others, fits || collects {
                isKnown = true
                fits = apply(others, toMember: member.key, member.value) && fits
            }
            if isKnown { tracker?.noteMember(position, of: object.count) }
            guard fits || collects else { return false }
        }
        return fits
    }

    private mutating func memberNames(_ names: Int, _ value: JSON, _ node: SchemaNode) -> Bool {
        guard case .object(let object) = value else { return true }
        var allFit = true
        for member in object.members {
            guard spend(1) else { return false }
            let name = JSON.string(member.key)
            guard !fits(names, name, nil) else { continue }
            guard collects else { return false }
            let reason = reason(names, name)
            allFit = fail(node, "propertyNames", "has a member `\(shortened(member.key))`, whose name \(reason)")
        }
        return allFit
    }

    private mutating func unevaluatedMembers(_ rest: Int, _ value: JSON, _ tracker: Tracker?) -> Bool {
        guard case .object(let object) = value else { return true }
        guard spend(object.count / 8) else { return false }
        var fits = true
        for (position, member) in object.members.enumerated() where tracker?.hasMember(position) != true {
            guard spend(1) else { return false }
            tracker?.noteMember(position, of: object.count)
            if !apply(rest, toMember: member.key, member.value) {
                fits = false
                guard collects else { return false }
            }
        }
        return fits
    }

    // MARK: The value itself

    private mutating func inPlace(_ check: SchemaCheck, _ value: JSON, _ node: SchemaNode, _ tracker: Tracker?) -> Bool
    {
        switch check {
        case .reference(let target): return apply(target, to: value, tracker)
        case .dynamicReference(let name, let otherwise):
            guard let target = dynamicTarget(name, otherwise: otherwise) else { return false }
            return apply(target, to: value, tracker)
        case .allOf(let all):
            var allFit = true
            for number in all where !apply(number, to: value, tracker) {
                allFit = false
                guard collects else { return false }
            }
            return allFit
        case .anyOf(let all):
            var anyFits = false
            for number in all where fits(number, value, tracker) {
                anyFits = true
                if tracker == nil { break }
            }
            return anyFits || fail(node, "anyOf", "fits none of the \(Message.count(all.count, "alternative"))")
        case .oneOf(let all): return oneOf(all, value, node, tracker)
        case .not(let number):
            return !fits(number, value, nil) && stop == nil || fail(node, "not", "must not be as `not` describes")
        case .condition(let condition, let then, let otherwise):
            let branch = fits(condition, value, tracker) ? then : otherwise
            guard stop == nil, let branch else { return stop == nil }
            return apply(branch, to: value, tracker)
        case .dependentSchemas(let schemas):
            guard case .object(let object) = value else { return true }
            var allFit = true
            for schema in schemas {
                guard spend(schema.nameCost) else { return false }
                guard object[schema.name] != nil, !apply(schema.node, to: value, tracker) else { continue }
                allFit = false
                guard collects else { return false }
            }
            return allFit
        default: return true
        }
    }

    private mutating func oneOf(_ all: [Int], _ value: JSON, _ node: SchemaNode, _ tracker: Tracker?) -> Bool {
        var fitting: [Int] = []
        for (index, number) in all.enumerated() where fits(number, value, tracker) {
            fitting.append(index)
            if fitting.count == 2 { break }
        }
        if fitting.count == 1 { return stop == nil }
        return fail(
            node,
            "oneOf",
            fitting.isEmpty
                ? "fits none of the \(Message.count(all.count, "alternative"))"
                : "must fit one alternative only, and fits those at \(fitting[0]) and \(fitting[1])"
        )
    }
}

/// Words for messages.
enum Message {
    static func count(_ count: Int, _ noun: String) -> String { count == 1 ? "1 \(noun)" : "\(count) \(noun)s" }

    /// A value's text, cut off.
    static func text(_ value: JSON) -> String {
        guard value.weight(limit: 100) <= 100 else { return value.arrayValue == nil ? "{…}" : "[…]" }
        return shortened(value.text)
    }

    static func text(_ number: JSONNumber) -> String { shortened(number.literal) }

    /// Values in a row, as many as there is room for.
    static func alternatives(_ values: [JSON]) -> String {
        guard values.count > 1 else { return values.first.map { text($0) } ?? "one of no values" }
        var shown = text(values[0])
        for value in values.dropFirst() {
            let next = shown + ", " + text(value)
            guard next.unicodeScalars.count <= 60 else { return "one of \(shown), …" }
            shown = next
        }
        return "one of \(shown)"
    }

    /// What a value is.
    static func noun(_ value: JSON) -> String {
        switch value {
        case .null: "null"
        case .bool(let flag): flag ? "true" : "false"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
