//! Standard input and output of commands, and the terminal between them and whoever types.

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::client::remote::Output;

/// The most that a command reads, in bytes.
const MOST: usize = 16 << 20;
/// How much goes into one message.
const CHUNK: usize = 16 << 10;

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;

/// A line of input.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Its text with its end.
    Text(String),
    /// Ctrl-C was typed.
    Interrupted,
    /// There is no more.
    End,
}

/// Standard input.
#[derive(Default)]
pub struct Input {
    receiver: Option<mpsc::Receiver<Bytes>>,
    buffer: BytesMut,
    /// Where a terminal shows what is typed.
    echo: Option<mpsc::Sender<Output>>,
}

impl Input {
    /// Input that comes in pieces. With `echo` it is typed at a terminal, which shows it there.
    pub fn new(receiver: mpsc::Receiver<Bytes>, echo: Option<mpsc::Sender<Output>>) -> Self {
        Self { receiver: Some(receiver), buffer: BytesMut::new(), echo }
    }

    /// Input that is there already.
    pub fn of(bytes: &[u8]) -> Self {
        Self { receiver: None, buffer: BytesMut::from(bytes), echo: None }
    }

    /// Whether somebody types at a terminal.
    pub fn is_terminal(&self) -> bool {
        self.echo.is_some()
    }

    /// Whether input was given at all.
    pub fn is_there(&self) -> bool {
        self.receiver.is_some() || !self.buffer.is_empty()
    }

    /// Waits for more; `false` at the end.
    async fn fill(&mut self) -> bool {
        let Some(receiver) = &mut self.receiver else { return false };
        let Some(bytes) = receiver.recv().await else {
            self.receiver = None;
            return false;
        };
        self.buffer.extend_from_slice(&bytes);
        true
    }

    /// All input to its end.
    pub async fn all(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        if self.is_terminal() {
            while let Line::Text(line) = self.line().await {
                all.extend_from_slice(line.as_bytes());
            }
            return all;
        }
        while all.len() + self.buffer.len() < MOST && self.fill().await {}
        all.extend_from_slice(&self.buffer.split());
        all
    }

    /// The next line.
    pub async fn line(&mut self) -> Line {
        if self.is_terminal() {
            return self.typed_line().await;
        }
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                return Line::Text(String::from_utf8_lossy(&line).into_owned());
            }
            if self.buffer.len() > MOST || !self.fill().await {
                let rest = self.buffer.split();
                let text = String::from_utf8_lossy(&rest).into_owned();
                return if text.is_empty() { Line::End } else { Line::Text(text) };
            }
        }
    }

    async fn show(&self, text: &[u8]) {
        if let Some(echo) = &self.echo {
            // Whoever typed may have gone.
            let _ = echo.send(Output::Stdout(Bytes::copy_from_slice(text))).await;
        }
    }

    /// A line as a terminal takes it: with its echo, and with what the keys for erasing do.
    async fn typed_line(&mut self) -> Line {
        let mut line: Vec<u8> = Vec::new();
        loop {
            if self.buffer.is_empty() && !self.fill().await {
                return Line::End;
            }
            for byte in self.buffer.split() {
                let rest = &mut self.buffer;
                // What was typed ahead waits for the next line.
                if line.last() == Some(&b'\n') {
                    rest.extend_from_slice(&[byte]);
                    continue;
                }
                match byte {
                    b'\r' | b'\n' => {
                        self.show(b"\r\n").await;
                        line.push(b'\n');
                    }
                    INTERRUPT => {
                        self.show(b"^C\r\n").await;
                        return Line::Interrupted;
                    }
                    END if line.is_empty() => return Line::End,
                    END => {}
                    0x7f | 0x08 => erase(&mut line, 1, self).await,
                    0x15 => erase(&mut line, usize::MAX, self).await,
                    byte if byte == b'\t' || byte >= b' ' => {
                        self.show(&[byte]).await;
                        line.push(byte);
                    }
                    _ => {}
                }
            }
            if line.last() == Some(&b'\n') {
                return Line::Text(String::from_utf8_lossy(&line).into_owned());
            }
        }
    }

    /// Resolves when Ctrl-C is typed at the terminal, never without one.
    pub async fn interrupted(&mut self) {
        while self.is_terminal() {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == INTERRUPT) {
                drop(self.buffer.split_to(at + 1));
                self.show(b"^C\r\n").await;
                return;
            }
            if !self.fill().await {
                break;
            }
        }
        std::future::pending().await
    }

    /// Resolves when whoever gave the input has gone.
    pub async fn gone(&mut self) {
        while self.fill().await {
            self.buffer.clear();
        }
    }
}

async fn erase(line: &mut Vec<u8>, count: usize, input: &Input) {
    for _ in 0..count {
        // A letter may be several bytes; those that continue one begin with the bits 10.
        while line.last().is_some_and(|byte| byte & 0xc0 == 0x80) {
            line.pop();
        }
        if line.pop().is_none() {
            return;
        }
        input.show(b"\x08 \x08").await;
    }
}

/// Where output goes.
pub enum Sink {
    /// To whoever is connected; a terminal wants a carriage return before each line feed.
    Live {
        /// The way there.
        sender: mpsc::Sender<Output>,
        /// Whether it is a terminal.
        terminal: bool,
    },
    /// Kept for the next command or a file.
    Kept {
        /// Standard output.
        out: Vec<u8>,
        /// Standard error.
        err: Vec<u8>,
    },
}

impl Sink {
    /// Keeps everything.
    pub fn kept() -> Self {
        Self::Kept { out: Vec::new(), err: Vec::new() }
    }

    /// What was kept of standard output and error.
    pub fn into_kept(self) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::Kept { out, err } => (out, err),
            Self::Live { .. } => (Vec::new(), Vec::new()),
        }
    }

    /// Writes to standard output.
    pub async fn out(&mut self, bytes: &[u8]) {
        self.write(bytes, false).await;
    }

    /// Writes to standard error.
    pub async fn err(&mut self, bytes: &[u8]) {
        self.write(bytes, true).await;
    }

    async fn write(&mut self, bytes: &[u8], error: bool) {
        match self {
            Self::Kept { out, err } => if error { err } else { out }.extend_from_slice(bytes),
            Self::Live { sender, terminal } => {
                let bytes = if *terminal { with_returns(bytes) } else { bytes.to_vec() };
                for chunk in bytes.chunks(CHUNK) {
                    let chunk = Bytes::copy_from_slice(chunk);
                    // A terminal has one screen.
                    let output = if error && !*terminal { Output::Stderr(chunk) } else { Output::Stdout(chunk) };
                    // Whoever was connected may have gone.
                    let _ = sender.send(output).await;
                }
            }
        }
    }
}

fn with_returns(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    for byte in bytes {
        if *byte == b'\n' {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

/// The streams of a command.
pub struct Io {
    /// Standard input.
    pub input: Input,
    /// Standard output and error.
    pub sink: Sink,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_terminal_edits_lines() {
        let (typed, receiver) = mpsc::channel(4);
        let (echo, mut screen) = mpsc::channel(64);
        typed.send(Bytes::from_static(b"ab\x7fc\rnext\x03")).await.expect("room");
        typed.send(Bytes::from_static(b"\x04")).await.expect("room");
        let mut input = Input::new(receiver, Some(echo));
        assert_eq!(input.line().await, Line::Text("ac\n".into()));
        assert_eq!(input.line().await, Line::Interrupted);
        assert_eq!(input.line().await, Line::End);
        let mut shown = Vec::new();
        while let Ok(Output::Stdout(bytes)) = screen.try_recv() {
            shown.extend_from_slice(&bytes);
        }
        assert_eq!(String::from_utf8_lossy(&shown), "ab\x08 \x08c\r\nnext^C\r\n");
    }

    #[tokio::test]
    async fn plain_input_comes_line_by_line() {
        let mut input = Input::of(b"a\nb");
        assert_eq!(input.line().await, Line::Text("a\n".into()));
        assert_eq!(input.line().await, Line::Text("b".into()));
        assert_eq!(input.line().await, Line::End);
    }
}
