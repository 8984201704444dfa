//! The `knarr` program: arguments, streams and environment in, exit code out.

use std::process::ExitCode;

use knarr::cli::{self, Env, Streams};

fn main() -> ExitCode {
    let args = std::env::args_os().collect();
    ExitCode::from(cli::run(args, Streams::process(), Env::process()))
}
