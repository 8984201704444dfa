//! `exec`: a command in a container.

use clap::Parser;

use super::context::Context;
use super::error::{Error, Result};
use super::remote::{self, SessionArgs, Stdin, Terminal, terminal};
use super::verb::Run;
use crate::object::Value;
use crate::resource::FileOptions;

/// Execute a command in a container.
#[derive(Parser)]
pub struct ExecArgs {
    /// Pod or TYPE/NAME, and after -- the command
    #[arg(value_name = "POD|TYPE/NAME -- COMMAND")]
    words: Vec<String>,
    #[command(flatten)]
    session: SessionArgs,
    /// File with the object to execute in
    #[arg(short = 'f', long, value_name = "FILE", value_delimiter = ',')]
    filename: Vec<String>,
}

/// A request for a command in a container.
pub fn request(pod: &Value, container: &str, command: &[String], flags: &[(&str, bool)]) -> crate::client::Request {
    let request = remote::request(pod, "exec", container, flags);
    command.iter().fold(request, |request, word| request.query("command", word))
}

/// Refuses a pod that has ended.
pub fn check_runs(pod: &Value) -> Result<()> {
    remote::has_ended(pod).map_or(Ok(()), |phase| {
        Err(Error::new(format!("cannot exec into a container in a completed pod; current phase is {phase}")))
    })
}

impl ExecArgs {
    /// What stands before the dashes, and the command behind them.
    fn split(&self, cx: &Context) -> Result<(Option<&String>, &[String])> {
        let resource = self.words.first().filter(|_| cx.dash_at != Some(0));
        match cx.dash_at {
            Some(at) => Ok((resource, self.words.get(at..).unwrap_or_default())),
            None if self.words.len() > 1 || (!self.words.is_empty() && !self.filename.is_empty()) => {
                Err(cx.usage("exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead"))
            }
            None => Ok((resource, &[])),
        }
    }
}

impl Run for ExecArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let (resource, command) = self.split(cx)?;
        self.session.check(cx)?;
        if resource.is_none() && self.filename.is_empty() {
            return Err(Error::new("pod, type/name or --filename must be specified"));
        }
        if command.is_empty() {
            return Err(Error::new("you must specify at least one command for the container"));
        }
        let files = FileOptions { filenames: self.filename.clone(), ..FileOptions::default() };
        let words = resource.into_iter().cloned().collect();
        let target = remote::object(cx, words, files, "cannot exec into multiple objects at a time").await?;
        let pod = remote::pod_of(cx, &target, self.session.pod_running_timeout).await?;
        check_runs(&pod)?;
        let container = remote::container(cx, &pod, &self.session.container, self.session.quiet)?;
        let terminal = Terminal::prepare(cx, self.session.stdin, self.session.tty, self.session.quiet)?;
        let raw = terminal.is_raw();
        let flags = [("stdin", self.session.stdin), ("stdout", true), ("stderr", !raw), ("tty", raw)];
        let stdin = Stdin {
            bytes: self.session.stdin.then(|| remote::pump(cx.streams.take_stdin())),
            sizes: raw.then(|| terminal::sizes(false)),
            detach: None,
        };
        remote::stream(cx, request(&pod, &container, command, &flags), stdin, remote::to_streams(cx)).await
    }
}
