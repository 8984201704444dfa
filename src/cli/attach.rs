//! `attach`: the streams of a container's own command.

use clap::Parser;
use serde_json::Value;

use super::context::Context;
use super::error::{Error, Result};
use super::remote::{self, Detach, SessionArgs, Stdin, Terminal, terminal};
use super::verb::Run;
use crate::nodes::container;
use crate::object::meta;
use crate::resource::FileOptions;

/// Keys that end an attachment, unless others are wanted.
pub const DETACH_KEYS: &str = "ctrl-p,ctrl-q";

/// Attach to a container that runs.
#[derive(Parser)]
pub struct AttachArgs {
    /// Pod or TYPE/NAME
    #[arg(value_name = "POD|TYPE/NAME")]
    words: Vec<String>,
    #[command(flatten)]
    session: SessionArgs,
    /// Keys that end the attachment
    #[arg(long, value_name = "KEYS", default_value = DETACH_KEYS)]
    detach_keys: String,
}

/// How to attach to a pod.
#[derive(Clone, Debug, Default)]
pub struct Attachment {
    /// The container; empty for the pod's own choice.
    pub container: String,
    /// Whether standard input is passed on.
    pub stdin: bool,
    /// Whether a terminal is wanted.
    pub tty: bool,
    /// Whether nothing is said but what comes from the container.
    pub quiet: bool,
    /// Keys that end the attachment.
    pub detach_keys: String,
    /// The command that attaches again, as messages name it.
    pub command: String,
}

const RECORDED: &str = "All commands and output from this session will be recorded in container logs, including \
                        credentials and sensitive information passed through the command prompt.";

impl Attachment {
    /// Attaches to a container of a pod until its command ends, or the keys for leaving are typed.
    ///
    /// # Errors
    /// There is no such container, or the server refuses.
    pub async fn run(&self, cx: &Context, pod: &Value) -> Result<()> {
        let name = remote::container(cx, pod, &self.container, self.quiet)
            .map_err(|error| Error::new(format!("cannot attach to the container: {}", error.text())))?;
        let has_tty = container::spec(pod, &name).is_some_and(|container| meta::bool_at(container, &["tty"]));
        if self.tty && !has_tty && !self.quiet {
            cx.err_line(format!("error: Unable to use a TTY - container {name} did not allocate one"))?;
        }
        let terminal = Terminal::prepare(cx, self.stdin, has_tty, self.quiet)?;
        let raw = terminal.is_raw();
        if !self.quiet {
            cx.err_line(RECORDED)?;
            cx.err_line("If you don't see a command prompt, try pressing enter.")?;
        }
        let keys = if self.detach_keys.is_empty() { DETACH_KEYS } else { &self.detach_keys };
        let stdin = Stdin {
            detach: raw.then(|| Detach::parse(keys)).transpose()?,
            bytes: self.stdin.then(|| remote::pump(cx.streams.take_stdin())),
            sizes: raw.then(|| terminal::sizes(true)),
        };
        let flags = [("stdin", self.stdin), ("stdout", true), ("stderr", !raw), ("tty", raw)];
        let request = remote::request(pod, "attach", &name, &flags);
        remote::stream(cx, request, stdin, remote::to_streams(cx)).await?;
        drop(terminal);
        if self.quiet || !self.stdin || !raw {
            return Ok(());
        }
        let again = format!("'{} {} -c {name} -n {} -i -t'", self.command, meta::name(pod), meta::namespace(pod));
        let ephemeral = meta::list_at(pod, &["spec", "ephemeralContainers"]);
        if ephemeral.iter().any(|container| meta::str_at(container, &["name"]) == name) {
            return cx.line(format!(
                "Session ended, the ephemeral container will not be restarted but may be reattached using {again} if it \
                 is still running"
            ));
        }
        cx.line(format!("Session ended, resume using {again} command"))
    }
}

impl AttachArgs {
    fn check(&self) -> Result<()> {
        if self.words.is_empty() {
            return Err(Error::new("at least 1 argument is required for attach"));
        }
        if self.words.len() > 2 {
            return Err(Error::new(format!(
                "expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw {}: [{}]",
                self.words.len(),
                self.words.join(" ")
            )));
        }
        Ok(())
    }
}

impl Run for AttachArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        self.session.check(cx)?;
        self.check()?;
        let several = "cannot attach to multiple objects at a time";
        let target = remote::object(cx, self.words.clone(), FileOptions::default(), several).await?;
        let pod = remote::pod_of(cx, &target, self.session.pod_running_timeout).await?;
        if let Some(phase) = remote::has_ended(&pod) {
            return Err(Error::new(format!("cannot attach a container in a completed pod; current phase is {phase}")));
        }
        let attachment = Attachment {
            container: self.session.container,
            stdin: self.session.stdin,
            tty: self.session.tty,
            quiet: self.session.quiet,
            detach_keys: self.detach_keys,
            command: cx.command_path.clone(),
        };
        attachment.run(cx, &pod).await
    }
}
