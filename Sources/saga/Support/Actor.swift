import Glibc
import SagaCore

extension Event.Act {
    /// What the user of this process does, under a name of their own or else `USER@HOST`.
    static func byUser(_ actor: String? = nil, reason: String?) -> Event.Act {
        if let actor { return Event.Act(actor: actor, reason: reason) }
        let user = getpwuid(geteuid()).flatMap { entry in entry.pointee.pw_name.map { String(cString: $0) } }
        return Event.Act(actor: "\(user ?? "uid-\(geteuid())")@\(hostName)", reason: reason)
    }

    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
