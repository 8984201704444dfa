//! What `exec`, `attach`, `cp` and `run` share: a command's streams joined to those of this program, and the pod that
//! is meant.

mod detach;
pub mod terminal;

use std::io::Read;

use bytes::Bytes;
use futures_util::future::{Either, select};
use serde_json::Value;
use tokio::sync::mpsc;

use super::args::GoDuration;
use super::context::Context;
use super::error::{Error, Result};
use super::logs::pods;
use super::targets;
use crate::client::Request;
use crate::client::remote::{Input, Outcome, Output};
use crate::object::meta;
use crate::resource::{FileOptions, Target};

pub use detach::{Detach, Typed};
use terminal::{Raw, Size};

/// How much of standard input is read at once.
const CHUNK: usize = 32 << 10;

/// What `exec` and `attach` are told of the session.
#[derive(clap::Args, Clone, Debug)]
pub struct SessionArgs {
    /// How long to wait for a pod
    #[arg(long, value_name = "TIME", default_value = "1m0s")]
    pub pod_running_timeout: GoDuration,
    /// The container
    #[arg(short = 'c', long, value_name = "NAME", default_value = "")]
    pub container: String,
    /// Pass standard input on
    #[arg(short = 'i', long)]
    pub stdin: bool,
    /// Use a terminal in the container
    #[arg(short = 't', long)]
    pub tty: bool,
    /// Print what comes from the container only
    #[arg(short = 'q', long)]
    pub quiet: bool,
}

impl SessionArgs {
    /// Refuses values that make no sense.
    ///
    /// # Errors
    /// A patience of no time.
    pub fn check(&self, cx: &Context) -> Result<()> {
        if self.pod_running_timeout.0 <= 0 {
            return Err(cx.usage("--pod-running-timeout must be higher than zero"));
        }
        Ok(())
    }
}

/// What a command gets to read.
#[derive(Default)]
pub struct Stdin {
    /// Its bytes; none is no input at all.
    pub bytes: Option<mpsc::Receiver<Bytes>>,
    /// Sizes of its terminal.
    pub sizes: Option<mpsc::Receiver<Size>>,
    /// Keys that end the session.
    pub detach: Option<Detach>,
}

/// Reads a stream in the background.
pub fn pump(mut stream: Box<dyn Read + Send>) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(4);
    // A thread, because a terminal can only be read by waiting; it ends with the program.
    std::thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let chunk = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
            if sender.blocking_send(chunk).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Runs a remote command to its end.
///
/// # Errors
/// The server refused, the command could not be run, or ended with another code than 0, which becomes this program's.
pub async fn stream(
    cx: &Context,
    request: Request,
    stdin: Stdin,
    mut deliver: impl FnMut(Output) -> Result<()>,
) -> Result<()> {
    let (input, mut outputs) = cx.client()?.remote_command(request).await?;
    let receive = async {
        loop {
            match outputs.next().await? {
                Output::Ended(outcome) => return Ok::<_, Error>(outcome),
                output => deliver(output)?,
            }
        }
    };
    let outcome = match select(Box::pin(receive), Box::pin(send(input, stdin))).await {
        Either::Left((outcome, _)) => outcome?,
        Either::Right(((), _)) => Outcome::Exited(0),
    };
    match outcome {
        Outcome::Exited(0) => Ok(()),
        Outcome::Exited(code) => Err(Error::plain(format!("command terminated with exit code {code}")).with_code(code)),
        Outcome::Failed(why) => Err(Error::new(why)),
    }
}

/// Sends input and sizes; resolves only when the keys for leaving were typed.
async fn send(mut input: Input, stdin: Stdin) {
    let Stdin { mut bytes, mut sizes, mut detach } = stdin;
    loop {
        let chunk = async {
            match &mut bytes {
                Some(bytes) => bytes.recv().await,
                None => std::future::pending().await,
            }
        };
        let size = async {
            match &mut sizes {
                Some(sizes) => sizes.recv().await,
                None => std::future::pending().await,
            }
        };
        let sent = tokio::select! {
            size = size => match size {
                Some((columns, rows)) => input.resize(columns, rows).await,
                None => {
                    sizes = None;
                    Ok(())
                }
            },
            chunk = chunk => match (chunk, &mut detach) {
                (None, _) => {
                    bytes = None;
                    input.end().await
                }
                (Some(chunk), None) => input.write(&chunk).await,
                (Some(chunk), Some(detach)) => match detach.take(&chunk) {
                    Typed::Bytes(chunk) => input.write(&chunk).await,
                    Typed::Detached(chunk) => {
                        input.write(&chunk).await.ok();
                        input.leave().await;
                        return;
                    }
                },
            },
        };
        if sent.is_err() {
            // The command has ended; its outcome is on the way.
            std::future::pending::<()>().await;
        }
    }
}

/// Writes a command's output to this program's streams as it comes.
pub fn to_streams(cx: &Context) -> impl FnMut(Output) -> Result<()> {
    |output| {
        match output {
            Output::Stdout(bytes) => {
                cx.streams.write_out(&bytes)?;
                cx.streams.flush()?;
            }
            Output::Stderr(bytes) => cx.streams.write_err(&bytes)?,
            Output::Ended(_) => {}
        }
        Ok(())
    }
}

/// The terminal as a session uses it.
pub struct Terminal {
    /// Raw mode, as long as it is needed.
    pub raw: Option<Raw>,
}

impl Terminal {
    /// Prepares the terminal for a session with `stdin` and `tty` as asked for. Without a terminal the session does
    /// without, and unless `quiet` says so.
    pub fn prepare(cx: &Context, stdin: bool, tty: bool, quiet: bool) -> Result<Self> {
        if !stdin || !tty {
            return Ok(Self { raw: None });
        }
        let raw = if cx.streams.stdin_tty { Raw::enter().ok() } else { None };
        if raw.is_none() && !quiet {
            cx.err_line("Unable to use a TTY - input is not a terminal or the right kind of file")?;
        }
        Ok(Self { raw })
    }

    /// Whether the terminal is in raw mode.
    pub fn is_raw(&self) -> bool {
        self.raw.is_some()
    }
}

/// A request for `exec` or `attach` of a container.
pub fn request(pod: &Value, subresource: &str, container: &str, flags: &[(&str, bool)]) -> Request {
    let (namespace, name) = (meta::namespace(pod), meta::name(pod));
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/{subresource}");
    let request = Request::get(path).accept("*/*").on("pods", name).query_some("container", container);
    let set = flags.iter().filter(|(_, on)| *on);
    set.fold(request, |request, (name, _)| request.query(name, "true"))
}

/// The one object that words and files name; words without a type are pods.
pub async fn object(cx: &Context, words: Vec<String>, files: FileOptions, several: &str) -> Result<Target> {
    let args = match words.as_slice() {
        [word] if !word.contains('/') => vec!["pods".to_owned(), word.clone()],
        _ => words,
    };
    let selection = cx.selection(args, files)?;
    let found = targets::find(cx, &selection, true).await?;
    if let Some(error) = found.errors.into_iter().next() {
        return Err(error);
    }
    let mut targets = found.targets;
    match (targets.pop(), targets.is_empty()) {
        (Some(target), true) => Ok(target),
        _ => Err(Error::new(several)),
    }
}

/// The pod that an object is, or the best one of those that it has.
pub async fn pod_of(cx: &Context, target: &Target, patience: GoDuration) -> Result<Value> {
    if target.kind.kind == "Pod" && target.kind.group.is_empty() {
        return Ok(target.object.clone());
    }
    pods::to_attach(cx, &target.object, patience).await
}

/// The container that is meant; what is to be said of the choice is said.
pub fn container(cx: &Context, pod: &Value, wanted: &str, quiet: bool) -> Result<String> {
    let (name, note) = pods::container(pod, wanted, quiet)?;
    note.map_or(Ok(()), |note| cx.err_line(note))?;
    Ok(name)
}

/// Whether a pod has ended, by its phase.
pub fn has_ended(pod: &Value) -> Option<&str> {
    Some(meta::str_at(pod, &["status", "phase"])).filter(|phase| matches!(*phase, "Succeeded" | "Failed"))
}
