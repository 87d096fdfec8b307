/// The histories that `StepsViewTests` goes through.
extension StepsViewTests {
    /// Going forward.
    static let forward: [Sample] = [
        Sample(
            testDescription: "nothing begun",
            status: 1,
            events: [],
            expected: ["a|pending|-|0|-|-|-|0|-"]
        ),
        Sample(
            testDescription: "a call in flight",
            events: [.begun("a", 1)],
            expected: ["a|running|-|1|-|-|-|0|-"]
        ),
        Sample(
            testDescription: "succeeded, with the output as it came",
            events: [.begun("a", 1), .done("a", 1, #"{"amount": 0.10}"#)],
            expected: [#"a|succeeded|done|1|{"amount": 0.10}|-|-|0|-"#]
        ),
        Sample(
            testDescription: "succeeded without a call",
            events: [.done("a", 0)],
            expected: ["a|succeeded|done|0|-|-|-|0|-"]
        ),
        Sample(
            testDescription: "waiting after a failed attempt",
            events: [.begun("a", 1), .again("a", 1, "failed", "Saga.ConnectFailed")],
            expected: ["a|backoff|failed|1|-|Saga.ConnectFailed|-|0|-"]
        ),
        Sample(
            testDescription: "unknown outweighs a later failed, and the last error is shown",
            events: [
                .begun("a", 1), .again("a", 1, "unknown", "Saga.Timeout"), .begun("a", 2),
                .again("a", 2, "failed", "Saga.ConnectFailed"), .begun("a", 3),
            ],
            expected: ["a|running|unknown|3|-|Saga.ConnectFailed|-|0|-"]
        ),
        Sample(
            testDescription: "done outweighs unknown and forgets the error",
            events: [.begun("a", 1), .again("a", 1, "unknown", "Saga.Timeout"), .begun("a", 2), .done("a", 2, "7")],
            expected: ["a|succeeded|done|2|7|-|-|0|-"]
        ),
        Sample(
            testDescription: "failed for good",
            events: [.begun("a", 1), .failed("a", 1, "failed", "CardDeclined")],
            expected: ["a|failed|failed|1|-|CardDeclined|-|0|-"]
        ),
        Sample(
            testDescription: "failed for good before any call",
            events: [.failed("a", 0, "failed", "Saga.Expression")],
            expected: ["a|failed|failed|0|-|Saga.Expression|-|0|-"]
        ),
        Sample(
            testDescription: "failed for good, in doubt",
            events: [.begun("a", 1), .failed("a", 1, "unknown", "Saga.Timeout")],
            expected: ["a|in_doubt|unknown|1|-|Saga.Timeout|-|0|-"]
        ),
        Sample(
            testDescription: "failed for good after an unknown attempt is in doubt",
            events: [
                .begun("a", 1), .again("a", 1, "unknown", "Saga.Timeout"), .begun("a", 2),
                .failed("a", 2, "failed", "CardDeclined"),
            ],
            expected: ["a|in_doubt|unknown|2|-|CardDeclined|-|0|-"]
        ),
        Sample(
            testDescription: "skipped",
            events: [.skipped("a")],
            expected: ["a|skipped|-|0|-|-|-|0|-"]
        ),
        Sample(
            testDescription: "deferred",
            events: [.deferred("a")],
            expected: ["a|deferred|-|0|-|-|-|0|-"]
        ),
        Sample(
            testDescription: "deferred after an attempt, then begun",
            events: [.begun("a", 1), .again("a", 1, "failed", "E"), .deferred("a"), .begun("a", 2)],
            expected: ["a|running|failed|2|-|E|-|0|-"]
        ),
        Sample(
            testDescription: "steps in file order, those of no definition left out",
            steps: #"[{"name":"z"},{"name":"b"},{"name":"a"}]"#,
            events: [.done("a", 0), .begun("z", 1), .begun("nowhere", 1)],
            expected: ["z|running|-|1|-|-|-|0|-", "b|pending|-|0|-|-|-|0|-", "a|succeeded|done|0|-|-|-|0|-"]
        ),
    ]

    /// What forward parts come to once nothing goes forward any more.
    static let over: [Sample] = [
        Sample(
            testDescription: "waiting when the saga turned: failed",
            status: 3,
            events: [.begun("a", 1), .again("a", 1, "failed", "E"), .turned(nil, "Saga.Cancelled")],
            expected: ["a|failed|failed|1|-|E|-|0|-"]
        ),
        Sample(
            testDescription: "waiting when the saga turned: in doubt, to be undone",
            status: 3,
            events: [.begun("a", 1), .again("a", 1, "unknown", "E"), .turned(nil, "Saga.Cancelled")],
            expected: ["a|in_doubt|unknown|1|-|E|pending|0|-"]
        ),
        Sample(
            testDescription: "deferred when the saga turned: pending",
            status: 3,
            events: [.deferred("a"), .turned(nil, "Saga.Cancelled")],
            expected: ["a|pending|-|0|-|-|-|0|-"]
        ),
        Sample(
            testDescription: "deferred after an unknown attempt when the saga turned: in doubt",
            status: 3,
            events: [.begun("a", 1), .again("a", 1, "unknown", "E"), .deferred("a"), .turned(nil, "Saga.Cancelled")],
            expected: ["a|in_doubt|unknown|1|-|E|pending|0|-"]
        ),
        Sample(
            testDescription: "in flight when the saga turned: still running",
            status: 3,
            events: [.begun("a", 1), .turned(nil, "Saga.Cancelled")],
            expected: ["a|running|-|1|-|-|-|0|-"]
        ),
        Sample(
            testDescription: "cancelled before anything began",
            status: 6,
            events: [.cancelRequested, .turned(nil, "Saga.Cancelled"), .compensated],
            expected: ["a|pending|-|0|-|-|-|0|-"]
        ),
        Sample(
            testDescription: "waiting when the saga was terminated",
            status: 7,
            events: [.begun("a", 1), .again("a", 1, "failed", "E"), .terminated],
            expected: ["a|failed|failed|1|-|E|-|0|-"]
        ),
        Sample(
            testDescription: "deferred when the saga was terminated",
            status: 7,
            events: [.deferred("a"), .terminated],
            expected: ["a|pending|-|0|-|-|-|0|-"]
        ),
        Sample(
            testDescription: "in flight when the saga was terminated",
            status: 7,
            events: [.begun("a", 1), .terminated],
            expected: ["a|in_doubt|unknown|1|-|-|-|0|-"]
        ),
        Sample(
            testDescription: "a compensation in flight when the saga was terminated",
            status: 7,
            events: [.begun("a", 1), .done("a", 1), .turned(nil, "E"), .undoBegun("a", 1), .terminated],
            expected: ["a|compensation_failed|done|1|-|-|failed|1|-"]
        ),
    ]

    /// Compensations.
    static let back: [Sample] = [
        Sample(
            testDescription: "done, to be undone",
            status: 3,
            events: [.begun("a", 1), .done("a", 1, "1"), .turned("b", "E")],
            expected: ["a|succeeded|done|1|1|-|pending|0|-"]
        ),
        Sample(
            testDescription: "being undone",
            status: 3,
            events: [.begun("a", 1), .done("a", 1, "1"), .turned("b", "E"), .undoBegun("a", 1)],
            expected: ["a|compensating|done|1|1|-|running|1|-"]
        ),
        Sample(
            testDescription: "undo waiting",
            status: 3,
            events: [
                .begun("a", 1), .done("a", 1), .turned("b", "E"), .undoBegun("a", 1),
                .undoAgain("a", 1, "unknown", "Saga.Timeout"),
            ],
            expected: ["a|compensating|done|1|-|-|backoff|1|Saga.Timeout"]
        ),
        Sample(
            testDescription: "undo deferred",
            status: 3,
            events: [.begun("a", 1), .done("a", 1), .turned("b", "E"), .undoDeferred("a")],
            expected: ["a|compensating|done|1|-|-|deferred|0|-"]
        ),
        Sample(
            testDescription: "undone at the second attempt",
            status: 6,
            events: [
                .begun("a", 1), .done("a", 1), .turned("b", "E"), .undoBegun("a", 1),
                .undoAgain("a", 1, "failed", "E2"), .undoBegun("a", 2), .undone("a", 2), .compensated,
            ],
            expected: ["a|compensated|done|1|-|-|succeeded|2|-"]
        ),
        Sample(
            testDescription: "failed attempts of the undo say nothing of the action",
            steps: #"[{"name":"a","compensation":{},"compensateWhen":"attempted"}]"#,
            status: 3,
            events: [.begun("a", 1), .turned(nil, "E"), .undoBegun("a", 1), .undoAgain("a", 1, "failed", "E2")],
            expected: ["a|compensating|-|1|-|-|backoff|1|E2"]
        ),
        Sample(
            testDescription: "undo failed for good",
            status: 4,
            events: [
                .begun("a", 1), .done("a", 1), .turned("b", "E"), .undoBegun("a", 1),
                .undoFailed("a", 1, "failed", "E2"), .stuck("a", "E2"),
            ],
            expected: ["a|compensation_failed|done|1|-|-|failed|1|E2"]
        ),
        Sample(
            testDescription: "undo failed, retried by a person",
            status: 3,
            events: [
                .begun("a", 1), .done("a", 1), .turned("b", "E"), .undoBegun("a", 1),
                .undoFailed("a", 1, "failed", "E2"), .stuck("a", "E2"), .retried,
            ],
            expected: ["a|compensating|done|1|-|-|backoff|1|E2"]
        ),
        Sample(
            testDescription: "retried, and failed again",
            status: 4,
            events: [
                .begun("a", 1), .done("a", 1), .turned("b", "E"), .undoBegun("a", 1),
                .undoFailed("a", 1, "failed", "E2"), .stuck("a", "E2"), .retried, .undoBegun("a", 2),
                .undoFailed("a", 2, "unknown", "E3"), .stuck("a", "E3"),
            ],
            expected: ["a|compensation_failed|done|1|-|-|failed|2|E3"]
        ),
        Sample(
            testDescription: "undo failed, resolved done: tried again",
            status: 3,
            events: [
                .begun("a", 1), .done("a", 1), .turned("b", "E"), .undoBegun("a", 1),
                .undoFailed("a", 1, "failed", "E2"), .stuck("a", "E2"), .resolved("a", "compensation", "done"),
            ],
            expected: ["a|compensating|done|1|-|-|backoff|1|E2"]
        ),
        Sample(
            testDescription: "undo failed, resolved undone: succeeded",
            status: 3,
            events: [
                .begun("a", 1), .done("a", 1), .turned("b", "E"), .undoBegun("a", 1),
                .undoFailed("a", 1, "failed", "E2"), .stuck("a", "E2"), .resolved("a", "compensation", "undone"),
            ],
            expected: ["a|compensated|done|1|-|-|succeeded|1|-"]
        ),
        Sample(
            testDescription: "one step's resolution leaves the other's failure",
            steps: #"[{"name":"a","compensation":{}},{"name":"b","compensation":{}}]"#,
            status: 3,
            events: [
                .done("a", 0), .done("b", 0), .turned("c", "E"), .undoBegun("a", 1), .undoBegun("b", 1),
                .undoFailed("a", 1, "failed", "E2"), .undoFailed("b", 1, "failed", "E3"), .stuck("a", "E2"),
                .resolved("b", "compensation", "undone"),
            ],
            expected: [
                "a|compensation_failed|done|0|-|-|failed|1|E2", "b|compensated|done|0|-|-|succeeded|1|-",
            ]
        ),
    ]

    /// Which steps are to be undone.
    static let undoable: [Sample] = [
        Sample(
            testDescription: "compensateWhen succeeded: only what is done",
            steps: """
                [{"name":"d","compensation":{},"compensateWhen":"succeeded"},
                 {"name":"u","compensation":{},"compensateWhen":"succeeded"}]
                """,
            status: 3,
            events: [.done("d", 0), .begun("u", 1), .failed("u", 1, "unknown", "E"), .turned("u", "E")],
            expected: ["d|succeeded|done|0|-|-|pending|0|-", "u|in_doubt|unknown|1|-|E|-|0|-"]
        ),
        Sample(
            testDescription: "compensateWhen uncertain, the default: done and unknown",
            steps: #"[{"name":"d","compensation":{}},{"name":"u","compensation":{}},{"name":"f","compensation":{}}]"#,
            status: 3,
            events: [
                .done("d", 0), .begun("u", 1), .again("u", 1, "unknown", "E"), .begun("f", 1),
                .failed("f", 1, "failed", "E"), .turned("f", "E"),
            ],
            expected: [
                "d|succeeded|done|0|-|-|pending|0|-", "u|in_doubt|unknown|1|-|E|pending|0|-",
                "f|failed|failed|1|-|E|-|0|-",
            ]
        ),
        Sample(
            testDescription: "compensateWhen attempted: whatever was begun",
            steps: """
                [{"name":"d","compensation":{},"compensateWhen":"attempted"},
                 {"name":"f","compensation":{},"compensateWhen":"attempted"},
                 {"name":"p","compensation":{},"compensateWhen":"attempted"}]
                """,
            status: 3,
            events: [.done("d", 0), .begun("f", 1), .failed("f", 1, "failed", "E"), .turned("f", "E")],
            expected: [
                "d|succeeded|done|0|-|-|pending|0|-", "f|failed|failed|1|-|E|pending|0|-", "p|pending|-|0|-|-|-|0|-",
            ]
        ),
        Sample(
            testDescription: "a step without compensation, and one that says none",
            steps: #"[{"name":"a"},{"name":"b","compensation":"none"}]"#,
            status: 3,
            events: [.done("a", 0), .done("b", 0), .turned("c", "E")],
            expected: ["a|succeeded|done|0|-|-|-|0|-", "b|succeeded|done|0|-|-|-|0|-"]
        ),
        Sample(
            testDescription: "no event has turned the saga: nothing is to be undone",
            status: 4,
            events: [.begun("a", 1), .done("a", 1), .stuck("b", "E")],
            expected: ["a|succeeded|done|1|-|-|-|0|-"]
        ),
    ]

    /// What a person said.
    static let words: [Sample] = [
        Sample(
            testDescription: "an action in doubt resolved done, with its output",
            events: [
                .begun("a", 1), .failed("a", 1, "unknown", "Saga.Timeout"), .stuck("a", "Saga.Timeout"),
                .resolved("a", "action", "done", #"{"id": 7}"#),
            ],
            expected: [#"a|succeeded|done|1|{"id": 7}|-|-|0|-"#]
        ),
        Sample(
            testDescription: "an action in doubt resolved undone: failed, earlier unknowns forgotten",
            events: [
                .begun("a", 1), .failed("a", 1, "unknown", "Saga.Timeout"), .stuck("a", "Saga.Timeout"),
                .resolved("a", "action", "undone"),
            ],
            expected: ["a|failed|failed|1|-|Saga.Timeout|-|0|-"]
        ),
        Sample(
            testDescription: "the pivot in doubt resolved undone: failed, and the saga turns",
            steps: Sample.aroundPivot,
            status: 3,
            events: [
                .done("a", 0), .begun("c", 1), .failed("c", 1, "unknown", "E"), .stuck("c", "E"),
                .resolved("c", "action", "undone"), .turned("c", "E"),
            ],
            expected: [
                "a|succeeded|done|0|-|-|pending|0|-", "c|failed|failed|1|-|E|-|0|-", "z|pending|-|0|-|-|-|0|-",
            ]
        ),
        Sample(
            testDescription: "the pivot is never undone",
            steps: #"[{"name":"c","pivot":true,"compensation":{}}]"#,
            status: 3,
            events: [.begun("c", 1), .failed("c", 1, "unknown", "E"), .turned("c", "E")],
            expected: ["c|in_doubt|unknown|1|-|E|-|0|-"]
        ),
        Sample(
            testDescription: "after the pivot undone is tried again",
            steps: Sample.aroundPivot,
            events: [
                .done("a", 0), .done("c", 0), .begun("z", 1), .failed("z", 1, "unknown", "E"), .stuck("z", "E"),
                .resolved("z", "action", "undone"),
            ],
            expected: [
                "a|succeeded|done|0|-|-|-|0|-", "c|succeeded|done|0|-|-|-|0|-", "z|backoff|failed|1|-|E|-|0|-",
            ]
        ),
        Sample(
            testDescription: "after a pivot that a person said is done, too",
            steps: Sample.aroundPivot,
            events: [
                .done("a", 0), .begun("c", 1), .failed("c", 1, "unknown", "E"), .stuck("c", "E"),
                .resolved("c", "action", "done"), .begun("z", 1), .failed("z", 1, "unknown", "E"), .stuck("z", "E"),
                .resolved("z", "action", "undone"),
            ],
            expected: [
                "a|succeeded|done|0|-|-|-|0|-", "c|succeeded|done|1|-|-|-|0|-", "z|backoff|failed|1|-|E|-|0|-",
            ]
        ),
        Sample(
            testDescription: "failed again after undone: the unknown of before stays forgotten",
            steps: Sample.aroundPivot,
            status: 4,
            events: [
                .done("a", 0), .done("c", 0), .begun("z", 1), .failed("z", 1, "unknown", "E"), .stuck("z", "E"),
                .resolved("z", "action", "undone"), .begun("z", 2), .failed("z", 2, "failed", "E2"), .stuck("z", "E2"),
            ],
            expected: [
                "a|succeeded|done|0|-|-|-|0|-", "c|succeeded|done|0|-|-|-|0|-", "z|failed|failed|2|-|E2|-|0|-",
            ]
        ),
        Sample(
            testDescription: "retried past the pivot: tried again at once, the outcome kept",
            steps: Sample.aroundPivot,
            events: [
                .done("a", 0), .done("c", 0), .begun("z", 1), .failed("z", 1, "unknown", "E"), .stuck("z", "E"),
                .retried,
            ],
            expected: [
                "a|succeeded|done|0|-|-|-|0|-", "c|succeeded|done|0|-|-|-|0|-", "z|backoff|unknown|1|-|E|-|0|-",
            ]
        ),
        Sample(
            testDescription: "retried, then in flight",
            steps: Sample.aroundPivot,
            events: [
                .done("a", 0), .done("c", 0), .begun("z", 1), .failed("z", 1, "failed", "E"), .stuck("z", "E"),
                .retried, .begun("z", 2),
            ],
            expected: [
                "a|succeeded|done|0|-|-|-|0|-", "c|succeeded|done|0|-|-|-|0|-", "z|running|failed|2|-|E|-|0|-",
            ]
        ),
        Sample(
            testDescription: "a retry of compensations leaves failed actions",
            status: 3,
            events: [
                .begun("a", 1), .failed("a", 1, "unknown", "E"), .turned("a", "E"), .undoBegun("a", 1),
                .undoFailed("a", 1, "failed", "E2"), .stuck("a", "E2"), .retried,
            ],
            expected: ["a|compensating|unknown|1|-|E|backoff|1|E2"]
        ),
        Sample(
            testDescription: "a resolution forgets nothing of other steps",
            steps: #"[{"name":"a"},{"name":"b"},{"name":"z"}]"#,
            status: 4,
            events: [
                .begun("a", 1), .begun("z", 1), .again("a", 1, "unknown", "E"), .again("z", 1, "unknown", "E"),
                .begun("b", 1), .failed("b", 1, "unknown", "E"), .resolved("b", "action", "undone"),
                .begun("a", 2), .failed("a", 2, "failed", "E2"), .begun("z", 2), .failed("z", 2, "failed", "E2"),
            ],
            expected: [
                "a|in_doubt|unknown|2|-|E2|-|0|-", "b|failed|failed|1|-|E|-|0|-", "z|in_doubt|unknown|2|-|E2|-|0|-",
            ]
        ),
        Sample(
            testDescription: "wanted back after its end: nothing is undone before the saga turns",
            status: 3,
            events: [.begun("a", 1), .done("a", 1, "7"), .completed("null"), .compensationRequested],
            expected: ["a|succeeded|done|1|7|-|-|0|-"]
        ),
        Sample(
            testDescription: "wanted back after its end, and turned",
            status: 3,
            events: [
                .begun("a", 1), .done("a", 1, "7"), .completed("null"), .compensationRequested,
                .turned(nil, "Saga.Cancelled"),
            ],
            expected: ["a|succeeded|done|1|7|-|pending|0|-"]
        ),
        Sample(
            testDescription: "wanted back after its end, being undone",
            status: 3,
            events: [
                .begun("a", 1), .done("a", 1, "7"), .completed("null"), .compensationRequested,
                .turned(nil, "Saga.Cancelled"), .undoBegun("a", 1), .undoAgain("a", 1, "unknown", "E"),
            ],
            expected: ["a|compensating|done|1|7|-|backoff|1|E"]
        ),
        Sample(
            testDescription: "undone after its end",
            status: 6,
            events: [
                .begun("a", 1), .done("a", 1, "7"), .completed("null"), .compensationRequested,
                .turned(nil, "Saga.Cancelled"), .undoBegun("a", 1), .undone("a", 1), .compensated,
            ],
            expected: ["a|compensated|done|1|7|-|succeeded|1|-"]
        ),
        Sample(
            testDescription: "pause and resume change no step",
            events: [.begun("a", 1), .paused, .again("a", 1, "failed", "E"), .resumed],
            expected: ["a|backoff|failed|1|-|E|-|0|-"]
        ),
    ]
}
