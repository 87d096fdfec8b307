extension JSON {
    /// This value changed by a JSON merge patch (RFC 7396): the members of an object in `patch` replace or add those of
    /// the same name, null removes them, and what isn't an object replaces the whole.
    ///
    /// Members keep their order and new ones follow; numbers keep their literals.
    public func merging(patch: JSON) -> JSON {
        guard case .object(let changes) = patch else { return patch }
        let members = objectValue ?? JSONObject()
        // Built anew: taking members out one by one would cost a look at all others each.
        var result = JSONObject()
        result.reserveCapacity(members.count)
        for (key, value) in members {
            guard let change = changes[key] else {
                result[key] = value
                continue
            }
            if !change.isNull { result[key] = value.merging(patch: change) }
        }
        for (key, change) in changes where members[key] == nil && !change.isNull {
            result[key] = JSON.null.merging(patch: change)
        }
        return .object(result)
    }
}
