import Foundation
import SagaTestKit
import Testing

/// Programs under a preloaded library that sets a variable before Swift looks for the arguments, as libfaketime does.
@Suite(.timeLimit(.minutes(1))) struct PreloadedLibraryTests {
    /// The C compiler that comes with Swift.
    private static let compiler: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { folder in "\(folder)/clang" }.first { path in access(path, X_OK) == 0 }
    }()

    /// Swift opens a file before it looks; then the environment is where it no longer finds it.
    private static let library = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <stdio.h>
        #include <stdlib.h>
        FILE *fopen(const char *path, const char *mode) {
            FILE *(*next)(const char *, const char *) = (FILE *(*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen");
            setenv("EARLY", "1", 1);
            return next(path, mode);
        }
        """

    @Test(.enabled(if: compiler != nil)) func argumentsAreFoundAllTheSame() async throws {
        let folder = NSTemporaryDirectory() + "saga-preload-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Self.library.write(toFile: folder + "/early.c", atomically: true, encoding: .utf8)
        let compilation = Process()
        compilation.executableURL = URL(fileURLWithPath: try #require(Self.compiler))
        compilation.arguments = ["-shared", "-fPIC", "-o", "\(folder)/early.so", "\(folder)/early.c", "-ldl"]
        try compilation.run()
        compilation.waitUntilExit()
        try #require(compilation.terminationStatus == 0)
        for (program, arguments) in [
            ("saga", ["validate", "none", "", "a b"]), ("sagad", ["--concurrency", "0"]),
            ("sagad", ["--sagas", "none"]),
        ] {
            let plain = try await TestProgram.run(program, arguments, folder: folder)
            let preloaded = try await TestProgram.run(
                program, arguments, environment: ["LD_PRELOAD": "\(folder)/early.so"], folder: folder)
            #expect(plain.status != 0)
            #expect(preloaded == plain, "\(program) \(arguments)")
        }
        #expect(!FileManager.default.fileExists(atPath: folder + "/.saga"), "no cluster that nobody asked for")
    }
}
