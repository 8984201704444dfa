//! `cp`: files to and from containers, as archives through `tar` there.

mod pack;
mod paths;
mod unpack;

use std::fs;
use std::io::{self, Read, Write};
use std::time::Duration;

use bytes::{Buf, Bytes};
use clap::Parser;
use serde_json::Value;
use tokio::sync::mpsc;

use super::context::Context;
use super::error::{Error, Result};
use super::exec;
use super::remote::{self, Stdin};
use super::verb::Run;
use crate::client::Request;
use crate::client::remote::Output;
use crate::object::go::{clean_path, quote};
use paths::Spec;
use unpack::Unpack;

/// Copy files and folders to and from containers.
#[derive(Parser)]
pub struct CpArgs {
    /// From and to: FILE, or [NAMESPACE/]POD:FILE
    #[arg(value_name = "SOURCE DESTINATION")]
    words: Vec<String>,
    /// The container
    #[arg(short = 'c', long, value_name = "NAME", default_value = "")]
    container: String,
    /// Do not keep owner and permissions in the container
    #[arg(long)]
    no_preserve: bool,
    /// How often a copy from a container is taken up again when it breaks off; negative for ever
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    retries: i32,
}

/// How long a look at the destination may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl CpArgs {
    /// The pod of one side, with the container that is meant.
    async fn find(&self, cx: &Context, spec: &Spec) -> Result<(Value, String)> {
        let namespace = if spec.namespace.is_empty() { cx.namespace()?.0 } else { spec.namespace.clone() };
        let path = format!("/api/v1/namespaces/{namespace}/pods/{}", spec.pod);
        let pod = cx.json(Request::get(path).on("pods", &spec.pod)).await?;
        exec::check_runs(&pod)?;
        let container = remote::container(cx, &pod, &self.container, false)?;
        Ok((pod, container))
    }

    /// Whether the destination is a folder.
    async fn is_folder(&self, cx: &Context, pod: &Value, container: &str, file: &str) -> Result<bool> {
        let command = ["test", "-d", file].map(str::to_owned);
        let request = exec::request(pod, container, &command, &[("stdout", true), ("stderr", true)]);
        let look = remote::stream(cx, request, Stdin::default(), |_| Ok(()));
        match tokio::time::timeout(PATIENCE, look).await {
            Ok(outcome) => Ok(outcome.is_ok()),
            Err(_) => Err(Error::new("context deadline exceeded")),
        }
    }

    async fn send_to_pod(&self, cx: &Context, from: &Spec, to: &Spec) -> Result<()> {
        if fs::metadata(&from.file).is_err() {
            return Err(Error::new(format!("{} doesn't exist in local filesystem", from.file)));
        }
        let (pod, container) = self.find(cx, to).await?;
        let file = match self.is_folder(cx, &pod, &container, &to.file).await? {
            true => paths::join(&to.file, &paths::base(&from.file)),
            false => to.file.clone(),
        };
        let mut command: Vec<&str> = vec!["tar"];
        if self.no_preserve {
            command.extend(["--no-same-permissions", "--no-same-owner"]);
        }
        let folder = paths::dir(&file);
        command.extend(["-xmf", "-", "-C", &folder]);
        let command: Vec<String> = command.into_iter().map(str::to_owned).collect();
        let flags = [("stdin", true), ("stdout", true), ("stderr", true)];
        let request = exec::request(&pod, &container, &command, &flags);
        let (sender, bytes) = mpsc::channel(4);
        let source = from.file.clone();
        let packed = tokio::task::spawn_blocking(move || {
            pack::pack(&source, &file, ChannelWriter(sender)).map_err(|error| error.text())
        });
        let stdin = Stdin { bytes: Some(bytes), ..Stdin::default() };
        let outcome = remote::stream(cx, request, stdin, remote::to_streams(cx)).await;
        // A file that cannot be read is why the other side has stopped.
        if let Ok(Err(why)) = packed.await
            && outcome.is_ok()
        {
            return Err(Error::new(why));
        }
        outcome
    }

    async fn fetch_from_pod(&self, cx: &Context, from: &Spec, to: &Spec) -> Result<()> {
        let (pod, container) = self.find(cx, from).await?;
        let prefix = clean_path(from.file.trim_start_matches(['/', '\\']));
        let prefix = paths::strip_shortcuts(&prefix).to_owned();
        let advice = format!(
            "{} exec -n {} {} -- tar cf - {} | tar xf -",
            cx.program.name,
            quote(&from.namespace),
            quote(&from.pod),
            quote(&from.file)
        );
        let (sender, bytes) = mpsc::channel(4);
        let (warnings, mut warned) = mpsc::unbounded_channel();
        let destination = to.file.clone();
        let unpacked = tokio::task::spawn_blocking(move || {
            let unpack = Unpack { prefix: &prefix, to: &destination, advice: &advice };
            let warn = |text| warnings.send(text).map_err(|_| Error::silent(1));
            unpack.run(ChannelReader { receiver: bytes, rest: Bytes::new() }, warn).map_err(|error| error.text())
        });
        let fetch = self.fetch(cx, (&pod, &container), &from.file, sender);
        let tell = async {
            while let Some(text) = warned.recv().await {
                cx.err_line(text)?;
            }
            Ok::<_, Error>(())
        };
        let (fetched, told) = futures_util::future::join(fetch, tell).await;
        told?;
        let unpacked = unpacked.await.unwrap_or_else(|error| Err(error.to_string()));
        fetched?;
        unpacked.map_err(Error::new)
    }

    /// Sends the archive of a file on, taking it up again where it broke off as often as wanted.
    async fn fetch(
        &self,
        cx: &Context,
        (pod, container): (&Value, &str),
        file: &str,
        sender: mpsc::Sender<Bytes>,
    ) -> Result<()> {
        let (mut read, mut retries) = (0_u64, 0);
        loop {
            let command: Vec<String> = if self.retries == 0 {
                ["tar", "cf", "-", file].map(str::to_owned).to_vec()
            } else {
                let begin = if read == 0 { 0 } else { read + 1 };
                vec!["sh".into(), "-c".into(), format!("tar cf - {file} | tail -c+{begin}")]
            };
            let request = exec::request(pod, container, &command, &[("stdout", true), ("stderr", true)]);
            let (chunks, mut arrived) = mpsc::unbounded_channel();
            let run = async {
                let outcome = remote::stream(cx, request, Stdin::default(), |output| {
                    match output {
                        // The other end only goes when unpacking has failed, which tells its own reason.
                        Output::Stdout(bytes) => drop(chunks.send(bytes)),
                        Output::Stderr(bytes) => {
                            cx.streams.write_out(&bytes)?;
                            cx.streams.flush()?;
                        }
                        Output::Ended(_) => {}
                    }
                    Ok(())
                })
                .await;
                drop(chunks);
                outcome
            };
            let pass = async {
                while let Some(bytes) = arrived.recv().await {
                    read += bytes.len() as u64;
                    if sender.send(bytes).await.is_err() {
                        break;
                    }
                }
            };
            let (outcome, ()) = futures_util::future::join(run, pass).await;
            match outcome {
                Err(_) if self.retries < 0 || retries < self.retries => {
                    retries += 1;
                    cx.line(format!("Resuming copy at {read} bytes, retry {retries}/{}", self.retries))?;
                    cx.streams.flush()?;
                }
                outcome => return outcome,
            }
        }
    }
}

/// Sends what is written to it in pieces.
struct ChannelWriter(mpsc::Sender<Bytes>);

impl Write for ChannelWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A reader that has gone has all that it wants, or tells why not.
        let _ = self.0.blocking_send(Bytes::copy_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what comes in pieces.
struct ChannelReader {
    receiver: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Read for ChannelReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.receiver.blocking_recv() {
                Some(bytes) => self.rest = bytes,
                None => return Ok(0),
            }
        }
        let count = self.rest.len().min(buffer.len());
        self.rest.split_to(count).copy_to_slice(buffer.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}

impl Run for CpArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let [from, to] = self.words.as_slice() else {
            return Err(Error::new("source and destination are required"));
        };
        let (from, to) = (Spec::parse(from)?, Spec::parse(to)?);
        if !from.pod.is_empty() && !to.pod.is_empty() {
            return Err(Error::new("one of src or dest must be a local file specification"));
        }
        if from.file.is_empty() || to.file.is_empty() {
            return Err(Error::new("filepath can not be empty"));
        }
        if !from.pod.is_empty() {
            return self.fetch_from_pod(cx, &from, &to).await;
        }
        if !to.pod.is_empty() {
            return self.send_to_pod(cx, &from, &to).await;
        }
        Err(Error::new("one of src or dest must be a remote file specification"))
    }
}
