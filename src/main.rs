//! The `gatewatch` binary.

fn main() -> std::process::ExitCode {
    gatewatch::cli::main()
}
