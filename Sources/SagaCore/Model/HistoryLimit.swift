/// How long attempts may make a saga's history.
///
/// An operation that is tried again without limit would otherwise grow it until no daemon can load it. What has begun
/// ends, what must be undone gets its first attempt, and what a person does is always recorded.
public enum HistoryLimit {
    /// With so many events nothing is tried again: an operation that fails has failed for good, which past the point
    /// of no return and on the way back needs a person.
    public static let events = 10_000
    /// The same for what can still be undone, which leaves room for undoing it.
    public static let eventsBeforePivot = 9_000
}
