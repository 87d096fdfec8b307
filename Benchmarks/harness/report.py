"""The table."""

COLUMNS = [
    ("sagas/s", "sagasPerSecond"), ("steps/s", "stepsPerSecond"), ("p50 ms", "p50"), ("p99 ms", "p99"),
    ("commits", "commitsPerSaga"), ("WAL bytes", "walBytesPerSaga"), ("events", "eventsPerSaga"),
    ("CPU s/1000", "cpuSecondsPerThousand"), ("MiB", "daemonPeakRSSMiB"),
]


def ratios(measured):
    """What is required and what is hoped for, next to what came out: (what, measured, required, hoped for, unit,
    whether more is better)."""
    found = []

    def ratio(what, top, bottom, factor, required, hoped, unit):
        if top in measured and bottom in measured:
            found.append((what, measured[top] / measured[bottom] * factor, required, hoped, unit, True))

    ratio("sagas/s, to DBOS Transact", "saga", "dbos", 1, 25, 40, "×")
    ratio("sagas/s, to the hand-written baseline", "saga", "handwritten", 1, 5, 8, "×")
    ratio("the same, both from a backlog", "backlog", "handwrittenBacklog", 1, 5, 8, "×")
    # A saga of four steps is ten rows.
    ratio("event rows/s, to rows alone", "saga", "raw", 1_000, 12, 20, "%")
    ratio("the same from a backlog", "backlog", "raw", 1_000, 12, 20, "%")
    ratio("HTTP steps/s, to the bare loop", "http", "loop", 100, 30, 50, "%")

    def bound(what, value, required, hoped, unit, is_more=False):
        found.append((what, value, required, hoped, unit, is_more))

    if "commits" in measured:
        bound("commits a saga at full load", measured["commits"], 0.1, 0.1, "")
    if "idle" in measured:
        bound("latency on an idle machine, p50", measured["idle"]["p50"], 12, 8, "ms")
        bound("latency on an idle machine, p99", measured["idle"]["p99"], 30, 25, "ms")
    if "half" in measured:
        bound("latency at half of full load, p99", measured["half"], 100, 100, "ms")
    if "history" in measured:
        bound("sagas/s with a history, to an empty database", measured["history"] * 100, 90, 90, "%", True)
    if "parked" in measured:
        bound("memory with sagas parked", measured["parked"]["memory"], 150, 150, "MiB")
        bound("CPU of the daemon when idle", measured["parked"]["cpu"], 1, 1, "%")
        bound("CPU of PostgreSQL when idle", measured["parked"]["postgres"], 1, 1, "%")
    if "two" in measured:
        bound("sagas/s with two daemons, to one (median)", measured["two"] * 100, 90, 100, "%", True)
    return found


def number(value):
    """Three digits that count, whole numbers whole."""
    if value is None:
        return "-"
    if value == int(value):
        return f"{int(value):,}"
    for limit, places in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= limit:
            return f"{value:,.{places}f}"
    return f"{value:.3f}"


def table(rows, measured):
    """The rows, and below them what they come to."""
    lines = [["", *(title for title, _ in COLUMNS)]]
    for row in rows:
        cells = [number(row.get(key)) for _, key in COLUMNS]
        if "rowsPerSecond" in row:
            cells[-1] = "-"
            lines.append([f"{row['what']}: {number(row['rowsPerSecond'])} rows/s", *cells])
        else:
            lines.append([row["what"], *cells])
    text = aligned(lines)
    asked = [["", "measured", "required", "hoped for", ""]]
    for what, value, required, hoped, unit, is_more in ratios(measured):
        sign = "≥" if is_more else "≤"
        limits = [f"{sign} {number(limit)} {unit}".strip() for limit in (required, hoped)]
        is_reached = value >= required if is_more else value <= required
        asked.append([what, f"{number(value)} {unit}".strip(), *limits, "" if is_reached else "missed"])
    return text + ([""] + aligned(asked) if len(asked) > 1 else [])


def aligned(lines):
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                      for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines]
