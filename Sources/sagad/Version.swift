/// The version that `--version` prints and that participants see in `User-Agent`.
let programVersion = "0.1.0"
