import JSON

extension StuckReport {
    /// Writes the report as one JSON object.
    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        for (key, names) in [("done", done), ("inDoubt", inDoubt), ("undone", undone), ("left", left)] {
            writer.key(key)
            writer.beginArray()
            for name in names { writer.string(name) }
            writer.endArray()
        }
        writer.key("operations")
        writer.beginArray()
        for operation in operations { operation.write(to: &writer) }
        writer.endArray()
        writer.key("choices")
        writer.beginArray()
        for choice in choices {
            writer.beginObject()
            writer.field("command", choice.command)
            writer.field("leadsTo", choice.leadsTo)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }
}

extension StuckReport.Operation {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("step", step)
        writer.field("side", side.rawValue)
        writer.field("attempts", attempts)
        writer.key("request")
        if let request { request.write(to: &writer) } else { writer.null() }
        writer.field("outcome", outcome?.rawValue)
        writer.field("error", error)
        writer.field("message", message)
        writer.endObject()
    }
}

extension StuckReport.Request {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("method", method)
        writer.field("url", url)
        writer.key("headers")
        writer.beginObject()
        for header in headers { writer.field(header.name, header.value) }
        writer.endObject()
        writer.key("body")
        switch body {
        case nil: writer.null()
        case let body? where body.isCut: writer.string(body.text)
        case let body?: writer.raw(RawJSON(unchecked: Array(body.text.utf8)))
        }
        writer.field("bodyLength", body?.length ?? 0)
        writer.field("bodyCut", body?.isCut ?? false)
        writer.endObject()
    }
}
