"""The table."""

COLUMNS = [
    ("sagas/s", "sagasPerSecond"), ("steps/s", "stepsPerSecond"), ("p50 ms", "p50"), ("p99 ms", "p99"),
    ("commits", "commitsPerSaga"), ("WAL bytes", "walBytesPerSaga"), ("events", "eventsPerSaga"),
    ("CPU s/1000", "cpuSecondsPerThousand"), ("MiB", "daemonPeakRSSMiB"),
]


def ratios(measured):
    """What was asked for, next to what came out: (what, measured, asked, unit, whether more is better)."""
    found = []

    def ratio(what, top, bottom, factor, asked, unit):
        if top in measured and bottom in measured:
            found.append((what, measured[top] / measured[bottom] * factor, asked, unit, True))

    ratio("sagas/s, to DBOS Transact", "saga", "dbos", 1, 40, "×")
    ratio("sagas/s, to the hand-written baseline", "saga", "handwritten", 1, 8, "×")
    # As its workflows are there beforehand.
    ratio("sagas/s from a backlog, to the same", "backlog", "handwritten", 1, None, "×")
    # A saga of four steps is ten rows.
    ratio("event rows/s, to rows alone", "saga", "raw", 1_000, 20, "%")
    ratio("event rows/s from a backlog, to rows alone", "backlog", "raw", 1_000, None, "%")
    ratio("HTTP steps/s, to the bare loop", "http", "loop", 100, 50, "%")
    if "commits" in measured:
        found.append(("commits a saga at full load", measured["commits"], 0.1, "", False))
    if "idle" in measured:
        found.append(("latency on an idle machine, p50", measured["idle"]["p50"], 8, "ms", False))
        found.append(("latency on an idle machine, p99", measured["idle"]["p99"], 25, "ms", False))
    if "half" in measured:
        found.append(("latency at half of full load, p99", measured["half"], 100, "ms", False))
    if "history" in measured:
        found.append(("sagas/s with a history, to an empty database", measured["history"] * 100, 90, "%", True))
    if "parked" in measured:
        found.append(("memory with sagas parked", measured["parked"]["memory"], 150, "MiB", False))
        found.append(("CPU of the daemon when idle", measured["parked"]["cpu"], 1, "%", False))
        found.append(("CPU of PostgreSQL when idle", measured["parked"]["postgres"], 1, "%", False))
    if "two" in measured:
        found.append(("sagas/s with two daemons, to one (median)", measured["two"] * 100, 100, "%", True))
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
    asked = [["", "measured", "asked", ""]]
    for what, value, limit, unit, is_more in ratios(measured):
        if limit is None:
            asked.append([what, f"{number(value)} {unit}".strip(), "-", ""])
            continue
        is_reached = value >= limit if is_more else value <= limit
        sign = "≥" if is_more else "≤"
        asked.append([what, f"{number(value)} {unit}".strip(), f"{sign} {number(limit)} {unit}".strip(),
                      "" if is_reached else "missed"])
    return text + ([""] + aligned(asked) if len(asked) > 1 else [])


def aligned(lines):
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                      for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines]
