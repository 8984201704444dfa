//! Commands in containers over a websocket (`v5.channel.k8s.io`, and `v4.channel.k8s.io` of older servers).
//!
//! Each message begins with the number of its channel: standard input, output and error, the outcome, the size of the
//! terminal. The fifth version has one more that closes another.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::websocket::{Broken, Receiver, Sender};
use super::{Client, Error, Request};
use crate::object::{Status, go::quote, meta};

/// The subprotocols, best first.
pub const PROTOCOLS: [&str; 2] = [V5, V4];
/// The one with which standard input can be closed.
pub const V5: &str = "v5.channel.k8s.io";
/// The one before, in which standard input ends with the connection only.
pub const V4: &str = "v4.channel.k8s.io";

/// Channel of standard input.
pub const STDIN: u8 = 0;
/// Channel of standard output.
pub const STDOUT: u8 = 1;
/// Channel of standard error.
pub const STDERR: u8 = 2;
/// Channel of the outcome, a `Status`.
pub const ERROR: u8 = 3;
/// Channel of terminal sizes.
pub const RESIZE: u8 = 4;
/// Channel that closes the one it names.
pub const CLOSE: u8 = 255;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this exit code.
    Exited(u8),
    /// It could not be run, or its connection broke.
    Failed(String),
}

/// What comes from a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Bytes of its standard output.
    Stdout(Bytes),
    /// Bytes of its standard error.
    Stderr(Bytes),
    /// Its end.
    Ended(Outcome),
}

/// The way to a command's standard input.
pub struct Input {
    sender: Sender,
    closes: bool,
}

/// The way from a command.
pub struct Outputs(Receiver);

impl Client {
    /// Runs a command in a container, or attaches to one: `request` is a GET of `exec` or `attach` with its options.
    ///
    /// # Errors
    /// The server could not be reached, or refused.
    pub async fn remote_command(&self, request: Request) -> Result<(Input, Outputs), Error> {
        let socket = self.websocket(request, &PROTOCOLS).await?;
        let closes = socket.protocol == V5;
        let (sender, receiver) = socket.split();
        Ok((Input { sender, closes }, Outputs(receiver)))
    }
}

fn message(channel: u8, bytes: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(bytes.len() + 1);
    message.extend_from_slice(&[channel]);
    message.extend_from_slice(bytes);
    message.freeze()
}

impl Input {
    /// Writes to standard input.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.sender.send(message(STDIN, bytes)).await
    }

    /// Ends standard input, where the protocol can.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn end(&mut self) -> Result<(), Broken> {
        if self.closes { self.sender.send(message(CLOSE, &[STDIN])).await } else { Ok(()) }
    }

    /// Tells the size of the terminal in columns and rows.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn resize(&mut self, columns: u16, rows: u16) -> Result<(), Broken> {
        let size = json!({"Width": columns, "Height": rows}).to_string();
        self.sender.send(message(RESIZE, size.as_bytes())).await
    }

    /// Leaves the command.
    pub async fn leave(&mut self) {
        self.sender.close().await;
    }
}

impl Outputs {
    /// What comes next. After [`Output::Ended`] nothing does.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Output, Error> {
        loop {
            let next = self.0.next().await.map_err(|broken| Error::Request(broken.to_string()))?;
            let Some(mut bytes) = next else { return Ok(Output::Ended(Outcome::Exited(0))) };
            if bytes.is_empty() {
                continue;
            }
            let channel = bytes.split_to(1)[0];
            match channel {
                STDOUT if !bytes.is_empty() => return Ok(Output::Stdout(bytes)),
                STDERR if !bytes.is_empty() => return Ok(Output::Stderr(bytes)),
                ERROR if !bytes.is_empty() => return Ok(Output::Ended(outcome(&bytes))),
                _ => {}
            }
        }
    }
}

/// The outcome that a `Status` on the error channel means.
pub fn outcome(bytes: &[u8]) -> Outcome {
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => {
            let text = quote(&String::from_utf8_lossy(bytes));
            return Outcome::Failed(format!("error stream protocol error: {error} in {text}"));
        }
    };
    match meta::str_at(&value, &["status"]) {
        "Success" => return Outcome::Exited(0),
        "Failure" => {}
        _ => {
            let text = quote(&String::from_utf8_lossy(bytes));
            return Outcome::Failed(format!("error stream protocol error: unknown error in {text}"));
        }
    }
    if meta::str_at(&value, &["reason"]) != "NonZeroExitCode" {
        return Outcome::Failed(meta::str_at(&value, &["message"]).to_owned());
    }
    let causes = meta::list_at(&value, &["details", "causes"]);
    let Some(cause) = causes.iter().find(|cause| meta::str_at(cause, &["reason"]) == "ExitCode") else {
        return Outcome::Failed("error stream protocol error: no ExitCode cause given".into());
    };
    let code = meta::str_at(cause, &["message"]);
    match code.parse() {
        Ok(code) => Outcome::Exited(code),
        Err(_) => Outcome::Failed(format!("error stream protocol error: invalid exit code value {}", quote(code))),
    }
}

/// The `Status` that tells of an outcome.
pub fn status_of(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Exited(0) => json!({"metadata": {}, "status": "Success"}),
        Outcome::Exited(code) => json!({"metadata": {}, "status": "Failure",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]}}),
        Outcome::Failed(message) => {
            Status::failure(500, "InternalError", format!("Internal error occurred: {message}")).to_value()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_told_and_read() {
        for outcome_ in [Outcome::Exited(0), Outcome::Exited(127)] {
            assert_eq!(outcome(status_of(&outcome_).to_string().as_bytes()), outcome_);
        }
        let failed = status_of(&Outcome::Failed("no such container".into())).to_string();
        let expected = "Internal error occurred: no such container";
        assert_eq!(outcome(failed.as_bytes()), Outcome::Failed(expected.into()));
        let no_cause = br#"{"status": "Failure", "reason": "NonZeroExitCode"}"#;
        let expected = "error stream protocol error: no ExitCode cause given";
        assert_eq!(outcome(no_cause), Outcome::Failed(expected.into()));
        assert!(matches!(outcome(b"no JSON"), Outcome::Failed(text) if text.contains("protocol error")));
    }
}
