//! `ehc-gateway`: arguments, then a command.

fn main() -> std::process::ExitCode {
    gateway::commands::run()
}
