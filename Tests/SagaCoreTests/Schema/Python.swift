import Foundation

/// A Python with PyPI's `jsonschema`.
enum Python {
    struct Run: Equatable {
        let status: Int32
        let output: String
        let error: String
    }

    /// Why there is none.
    struct Missing: Error, CustomStringConvertible {
        let description = "no python3 with PyPI's jsonschema: run scripts/setup --tests, which needs the network once"
    }

    /// Runs a script with the system's Python, or that of `.build/python`, whichever has `jsonschema`.
    static func run(_ script: String, arguments: [String]) throws -> Run {
        let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        for program in [project.appending(path: ".build/python/bin/python3").standardized.path, "/usr/bin/env"] {
            guard FileManager.default.isExecutableFile(atPath: program) else { continue }
            let name = program == "/usr/bin/env" ? ["python3"] : []
            let probe = try launch(program, name + ["-c", "from jsonschema import Draft202012Validator"])
            if probe.status == 0 { return try launch(program, name + ["-c", script] + arguments) }
        }
        throw Missing()
    }

    private static func launch(_ program: String, _ arguments: [String]) throws -> Run {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let output = Pipe()
        let error = Pipe()
        process.standardOutput = output
        process.standardError = error
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let written = output.fileHandleForReading.readDataToEndOfFile()
        let complaint = error.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Run(
            status: process.terminationStatus,
            output: String(decoding: written, as: UTF8.self),
            error: String(decoding: complaint, as: UTF8.self)
        )
    }
}
