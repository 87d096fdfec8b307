import Glibc

/// A service couldn't listen on its port.
struct ListenError: Error, CustomStringConvertible {
    let service: ServiceName
    let port: Int
    /// The operating system's `errno`.
    let errorNumber: Int32

    /// One line for a person.
    var description: String {
        switch errorNumber {
        case EADDRINUSE: "\(service.rawValue): port \(port) is in use"
        case EACCES: "\(service.rawValue): port \(port) needs more rights than this user has"
        default: "\(service.rawValue): can't listen on port \(port): \(String(cString: strerror(errorNumber)))"
        }
    }
}
