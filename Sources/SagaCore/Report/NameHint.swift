import JSON

/// Suggests what was probably meant by a name that isn't there.
public enum NameHint {
    /// A clause such as "did you mean `order`?"; nil when no candidate is near.
    public static func didYouMean(_ name: String, among candidates: [String]) -> String? {
        NearestName.hint(name, among: candidates)
    }
}
