/// The parameters of one statement as libpq takes them: types, offsets and lengths into one run of bytes.
struct EncodedParameters {
    private(set) var types: [UInt32] = []
    private(set) var lengths: [Int32] = []
    /// Where each value begins in `bytes`; -1 is null.
    private(set) var offsets: [Int] = []
    private(set) var bytes: [UInt8] = []

    /// No parameters.
    init() {
        bytes = [0]
    }

    /// Encodes the values in PostgreSQL's binary format.
    ///
    /// - Throws: `.invalidRequest` when a value is longer than the protocol's 32-bit lengths.
    init(_ values: [PostgresValue]) throws(PostgresError) {
        let total = values.reduce(into: 0) { $0 = $0.addingReportingOverflow($1.encodedSizeHint).partialValue }
        types.reserveCapacity(values.count)
        lengths.reserveCapacity(values.count)
        offsets.reserveCapacity(values.count)
        bytes.reserveCapacity(max(0, total))
        for (index, value) in values.enumerated() {
            types.append(value.typeOID.rawValue)
            if value.isNull {
                offsets.append(-1)
                lengths.append(0)
                continue
            }
            let start = bytes.count
            bytes.append(value)
            guard let length = Int32(exactly: bytes.count - start) else {
                throw PostgresError(.invalidRequest, "parameter $\(index + 1) is longer than 2 GiB")
            }
            offsets.append(start)
            lengths.append(length)
        }
        // libpq takes a null pointer for a null: an empty value needs an address too.
        if bytes.isEmpty { bytes.append(0) }
    }
}

extension PostgresValue {
    /// The type that the server is told.
    var typeOID: PostgresTypeOID {
        switch self {
        case .null: .unspecified
        case .typedNull(let type): type
        case .bool: .bool
        case .int2: .int2
        case .int4: .int4
        case .int8: .int8
        case .double: .float8
        case .text: .text
        case .uuid: .uuid
        case .timestamptz: .timestamptz
        case .json: .json
        case .jsonb: .jsonb
        case .bytea: .bytea
        case .boolArray: .boolArray
        case .int2Array: .int2Array
        case .int4Array: .int4Array
        case .int8Array: .int8Array
        case .doubleArray: .float8Array
        case .textArray: .textArray
        case .uuidArray: .uuidArray
        case .timestamptzArray: .timestamptzArray
        case .jsonArray: .jsonArray
        case .jsonbArray: .jsonbArray
        case .byteaArray: .byteaArray
        }
    }

    var isNull: Bool {
        switch self {
        case .null, .typedNull: true
        default: false
        }
    }

    /// About how many bytes the value takes, so that the buffer grows once.
    fileprivate var encodedSizeHint: Int {
        switch self {
        case .null, .typedNull: 0
        case .bool, .int2, .int4, .int8, .double, .timestamptz: 8
        case .uuid: 16
        case .text(let value): value.utf8.count
        case .json(let value), .bytea(let value): value.count
        case .jsonb(let value): value.count + 1
        case .boolArray(let values): 20 + values.count * 5
        case .int2Array(let values): 20 + values.count * 6
        case .int4Array(let values): 20 + values.count * 8
        case .int8Array(let values): 20 + values.count * 12
        case .doubleArray(let values): 20 + values.count * 12
        case .timestamptzArray(let values): 20 + values.count * 12
        case .uuidArray(let values): 20 + values.count * 20
        case .textArray(let values): values.reduce(20) { $0 + 4 + ($1?.utf8.count ?? 0) }
        case .jsonArray(let values), .jsonbArray(let values), .byteaArray(let values):
            values.reduce(20) { $0 + 5 + ($1?.count ?? 0) }
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ value: PostgresValue) {
        switch value {
        case .null, .typedNull: break
        case .bool(let value): append(value ? 1 : 0)
        case .int2(let value): append(bigEndian: value)
        case .int4(let value): append(bigEndian: value)
        case .int8(let value): append(bigEndian: value)
        case .double(let value): append(bigEndian: value.bitPattern)
        case .text(let value): append(contentsOf: value.utf8)
        case .uuid(let value): append(value)
        case .timestamptz(let value): append(bigEndian: value.microsecondsSince2000)
        case .json(let value), .bytea(let value): append(contentsOf: value)
        case .jsonb(let value): append(jsonb: value)
        case .boolArray(let values): append(values, .bool) { $0.append($1 ? 1 : 0) }
        case .int2Array(let values): append(values, .int2) { $0.append(bigEndian: $1) }
        case .int4Array(let values): append(values, .int4) { $0.append(bigEndian: $1) }
        case .int8Array(let values): append(values, .int8) { $0.append(bigEndian: $1) }
        case .doubleArray(let values): append(values, .float8) { $0.append(bigEndian: $1.bitPattern) }
        case .textArray(let values): append(values, .text) { $0.append(contentsOf: $1.utf8) }
        case .uuidArray(let values): append(values, .uuid) { $0.append($1) }
        case .timestamptzArray(let values):
            append(values, .timestamptz) { $0.append(bigEndian: $1.microsecondsSince2000) }
        case .jsonArray(let values): append(values, .json) { $0.append(contentsOf: $1) }
        case .jsonbArray(let values): append(values, .jsonb) { $0.append(jsonb: $1) }
        case .byteaArray(let values): append(values, .bytea) { $0.append(contentsOf: $1) }
        }
    }

    /// The binary format of a one-dimensional array (`array_recv` in the server's `arrayfuncs.c`): dimensions, a flag
    /// for nulls, the element type; per dimension length and lower bound; per element its length or -1, and its bytes.
    private mutating func append<Value>(
        _ values: [Value?],
        _ type: PostgresTypeOID,
        element: (inout [UInt8], Value) -> Void
    ) {
        append(bigEndian: Int32(values.isEmpty ? 0 : 1))
        append(bigEndian: Int32(values.contains { $0 == nil } ? 1 : 0))
        append(bigEndian: type.rawValue)
        if values.isEmpty { return }
        append(bigEndian: Int32(truncatingIfNeeded: values.count))
        append(bigEndian: Int32(1))
        for value in values {
            let lengthAt = count
            append(bigEndian: Int32(-1))
            guard let value else { continue }
            element(&self, value)
            // Too long a value is caught for the whole parameter, whose length then doesn't fit either.
            let length = UInt32(truncatingIfNeeded: count - lengthAt - 4)
            self[lengthAt] = UInt8(truncatingIfNeeded: length >> 24)
            self[lengthAt + 1] = UInt8(truncatingIfNeeded: length >> 16)
            self[lengthAt + 2] = UInt8(truncatingIfNeeded: length >> 8)
            self[lengthAt + 3] = UInt8(truncatingIfNeeded: length)
        }
    }

    private mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    private mutating func append(_ uuid: PostgresUUID) {
        append(bigEndian: uuid.high)
        append(bigEndian: uuid.low)
    }

    /// `jsonb_recv` wants a version byte before the text; 1 is the only version there is.
    private mutating func append(jsonb text: [UInt8]) {
        append(1)
        append(contentsOf: text)
    }
}
