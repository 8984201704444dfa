//! Standard input, output and error of a command, and the environment it runs in.
//!
//! Nothing of the command line prints or reads but through these, so that a test can hold both ends.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The three streams, and which of them are terminals.
///
/// Output is buffered; writing to the error stream first writes out what standard output holds, so that the two keep
/// their order where they end in the same place.
pub struct Streams {
    stdin: RefCell<Box<dyn Read + Send>>,
    stdout: RefCell<BufWriter<Box<dyn Write>>>,
    stderr: RefCell<Box<dyn Write>>,
    /// Whether standard input is a terminal.
    pub stdin_tty: bool,
    /// Whether standard output is a terminal.
    pub stdout_tty: bool,
    /// Whether standard error is a terminal.
    pub stderr_tty: bool,
}

impl Streams {
    /// The process's own streams.
    pub fn process() -> Self {
        let mut streams = Self::new(Box::new(io::stdin()), Box::new(io::stdout()), Box::new(io::stderr()));
        streams.stdin_tty = io::stdin().is_terminal();
        streams.stdout_tty = io::stdout().is_terminal();
        streams.stderr_tty = io::stderr().is_terminal();
        streams
    }

    /// Any streams, none of them a terminal.
    pub fn new(stdin: Box<dyn Read + Send>, stdout: Box<dyn Write>, stderr: Box<dyn Write>) -> Self {
        Self {
            stdin: RefCell::new(stdin),
            stdout: RefCell::new(BufWriter::with_capacity(64 * 1024, stdout)),
            stderr: RefCell::new(stderr),
            stdin_tty: false,
            stdout_tty: false,
            stderr_tty: false,
        }
    }

    /// Writes to standard output as it is, without adding a line end.
    pub fn write_out(&self, text: &[u8]) -> io::Result<()> {
        self.stdout.borrow_mut().write_all(text)
    }

    /// Writes to standard error at once, as it is.
    pub fn write_err(&self, text: &[u8]) -> io::Result<()> {
        self.flush()?;
        let mut stderr = self.stderr.borrow_mut();
        stderr.write_all(text)?;
        stderr.flush()
    }

    /// Sends on what standard output has buffered.
    pub fn flush(&self) -> io::Result<()> {
        self.stdout.borrow_mut().flush()
    }

    /// Standard input itself, for a reader of its own; whoever reads later finds nothing.
    pub fn take_stdin(&self) -> Box<dyn Read + Send> {
        self.stdin.replace(Box::new(io::empty()))
    }

    /// Reads standard input to its end.
    pub fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.stdin.borrow_mut().read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads one line from standard input, with its end; empty at the end of input.
    pub fn read_line(&self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut stdin = self.stdin.borrow_mut();
        let mut byte = [0_u8; 1];
        while stdin.read(&mut byte)? == 1 {
            line.push(byte[0]);
            if byte[0] == b'\n' {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

/// Environment variables: the process's, read when first asked for, or others.
#[derive(Clone, Debug)]
pub struct Env {
    vars: OnceLock<BTreeMap<OsString, OsString>>,
}

impl Default for Env {
    fn default() -> Self {
        Self::of([])
    }
}

impl Env {
    /// The process's environment.
    pub const fn process() -> Self {
        Self { vars: OnceLock::new() }
    }

    /// An environment of the given variables only.
    pub fn of(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self { vars: OnceLock::from(vars.into_iter().collect::<BTreeMap<_, _>>()) }
    }

    fn vars(&self) -> &BTreeMap<OsString, OsString> {
        self.vars.get_or_init(|| std::env::vars_os().collect())
    }

    /// A variable; `None` when it is unset or not text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.os(name).and_then(OsStr::to_str)
    }

    /// A variable that counts as unset when it is empty.
    pub fn non_empty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// A variable as the system holds it.
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.vars().get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.vars().iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// The user's home folder.
    pub fn home(&self) -> Option<PathBuf> {
        match self.os("HOME") {
            Some(home) if !home.is_empty() => Some(PathBuf::from(home)),
            _ => dirs::home_dir(),
        }
    }

    /// The first file of that name in the folders of `PATH`, or the path itself where the name holds a separator.
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        if name.contains(std::path::MAIN_SEPARATOR) {
            return is_executable(Path::new(name)).then(|| PathBuf::from(name));
        }
        std::env::split_paths(self.os("PATH")?).map(|folder| folder.join(name)).find(|file| is_executable(file))
    }
}

/// Whether a file exists and its owner, group or others may run it.
pub fn is_executable(file: &Path) -> bool {
    let Ok(metadata) = file.metadata() else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    {
        metadata.is_file()
    }
}
