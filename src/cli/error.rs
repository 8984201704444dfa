//! The command line's one error type and the renderer that makes kubectl's exact text of it.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::object::Status;
use crate::object::go::quote;
use crate::object::status::Cause;

/// Result of a command or of a part of one.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, which decides the heading and the exit code.
#[derive(Debug)]
pub enum Kind {
    /// Nothing is printed; what there was to say has been said.
    Silent,
    /// `error: …`.
    Message,
    /// The message stands for itself, without a heading.
    Plain,
    /// The server answered with a failure.
    Status(Box<Status>),
    /// The server could not be reached; the message is the cause alone.
    Request {
        /// `Get`, `Post` …: the method as Go's client names it.
        method: String,
        /// The whole URL.
        url: String,
    },
    /// The kubeconfig cannot be used: one line per cause.
    Configuration(Vec<String>),
    /// Several errors, one line each, without headings.
    Many(Vec<Error>),
    /// Standard output was closed by its reader.
    BrokenPipe,
}

/// An error on its way to the user.
#[derive(Debug)]
pub struct Error {
    /// What went wrong.
    pub kind: Kind,
    message: String,
    source: Option<Box<dyn StdError>>,
    hints: Vec<String>,
    code: u8,
}

impl Error {
    fn of(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, hints: Vec::new(), code: 1 }
    }

    /// An ordinary failure: `error: message`, exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of(Kind::Message, message)
    }

    /// An ordinary failure with a cause, printed after a colon.
    pub fn caused(message: impl Into<String>, source: impl Into<Box<dyn StdError>>) -> Self {
        Self { source: Some(source.into()), ..Self::new(message) }
    }

    /// A failure whose text has no heading.
    pub fn plain(message: impl Into<String>) -> Self {
        Self::of(Kind::Plain, message)
    }

    /// A failure that prints nothing.
    pub fn silent(code: u8) -> Self {
        Self { code, ..Self::of(Kind::Silent, "") }
    }

    /// The server's refusal.
    pub fn status(status: Status) -> Self {
        Self::of(Kind::Status(Box::new(status)), "")
    }

    /// A request that got no answer; `cause` in the words of Go's network packages.
    pub fn request(method: impl Into<String>, url: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::of(Kind::Request { method: method.into(), url: url.into() }, cause)
    }

    /// A kubeconfig that cannot be used.
    pub fn configuration(causes: Vec<String>) -> Self {
        Self::of(Kind::Configuration(causes), "")
    }

    /// Several errors as one; a single one stays itself, none is success.
    pub fn many(mut errors: Vec<Self>) -> Result<()> {
        if errors.len() > 1 {
            let hints = errors.iter_mut().flat_map(|error| std::mem::take(&mut error.hints)).collect();
            return Err(Self { hints, ..Self::of(Kind::Many(errors), "") });
        }
        errors.pop().map_or(Ok(()), Err)
    }

    /// What went wrong with objects, and behind that, as one error, what could not be read.
    pub fn visited(mut errors: Vec<Self>, unread: Vec<Self>) -> Result<()> {
        errors.extend(Self::many(unread).err());
        Self::many(errors)
    }

    /// The misuse of a command: the message and where its help is to be found.
    pub fn usage(command_path: &str, message: impl fmt::Display) -> Self {
        Self::new(format!("{message}\nSee '{command_path} -h' for help and examples"))
    }

    /// The resource type that a server does not have, as the user wrote it.
    pub fn no_resource(resource: &str, group: &str, version: &str) -> Self {
        let mut message = format!("the server doesn't have a resource type {}", quote(resource));
        match (group.is_empty(), version.is_empty()) {
            (false, false) => {
                message = format!("{message} in group {} and version {}", quote(group), quote(version));
            }
            (false, true) => message = format!("{message} in group {}", quote(group)),
            (true, false) => message = format!("{message} in version {}", quote(version)),
            (true, true) => {}
        }
        Self::new(message)
    }

    /// The same error with another exit code.
    #[must_use]
    pub fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// The same error with a line that says what to type; silent under the name kubectl.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// `error when VERB "SOURCE": …`, keeping what the server said of it.
    #[must_use]
    pub fn when(self, verb: &str, source: &str) -> Self {
        if source.is_empty() {
            return self;
        }
        self.map_message(|message| format!("error when {verb} {}: {message}", quote(source)))
    }

    /// The same error with its text changed; a server's answer stays one.
    #[must_use]
    pub fn map_message(mut self, change: impl FnOnce(String) -> String) -> Self {
        match &mut self.kind {
            Kind::Status(status) => status.message = change(std::mem::take(&mut status.message)),
            _ => {
                self.message = change(self.text());
                self.kind = Kind::Message;
                self.source = None;
            }
        }
        self
    }

    /// The server's answer, if it was one.
    pub fn as_status(&self) -> Option<&Status> {
        match &self.kind {
            Kind::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Whether a request got no answer.
    pub fn is_request(&self) -> bool {
        matches!(self.kind, Kind::Request { .. })
    }

    /// Whether the server answered `reason`, such as `NotFound`.
    pub fn is_reason(&self, reason: &str) -> bool {
        self.as_status().is_some_and(|status| status.reason == reason)
    }

    /// Whether the server answered that there is no such object.
    pub fn is_not_found(&self) -> bool {
        self.is_reason("NotFound")
    }

    /// The process's exit code.
    pub fn code(&self) -> u8 {
        match self.kind {
            // What a shell reports of a program that a closed pipe ended.
            Kind::BrokenPipe => 141,
            _ => self.code,
        }
    }

    /// The lines that say what to type.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The error's own text with its causes, without a heading: what Go's `err.Error()` gives.
    pub fn text(&self) -> String {
        match &self.kind {
            Kind::Status(status) => status.message.clone(),
            Kind::Request { method, url } => format!("{method} {}: {}", quote(url), self.message),
            Kind::Configuration(causes) => match causes.as_slice() {
                [cause] => format!("invalid configuration: {cause}"),
                causes => format!("invalid configuration: [{}]", causes.join(", ")),
            },
            Kind::Many(errors) => format!("[{}]", errors.iter().map(Self::text).collect::<Vec<_>>().join(", ")),
            Kind::Silent | Kind::Message | Kind::Plain | Kind::BrokenPipe => {
                let mut text = self.message.clone();
                let mut source = self.source.as_deref().map(|source| source as &dyn StdError);
                while let Some(cause) = source {
                    text = format!("{text}: {cause}");
                    source = cause.source();
                }
                text
            }
        }
    }

    /// The text as one item among several: a server's answer and a failed connection keep their headings.
    fn item(&self) -> String {
        match &self.kind {
            Kind::Status(status) => status_line(status),
            Kind::Request { url, .. } => request_line(url, &self.message),
            _ => self.text(),
        }
    }

    /// What goes to standard error, with a line end; empty when there is nothing to say.
    pub fn render(&self) -> String {
        let mut text = match &self.kind {
            Kind::Silent | Kind::BrokenPipe => return String::new(),
            Kind::Status(status) if status.reason == "Invalid" => invalid(status),
            Kind::Configuration(causes) => multiline("Error in configuration: ", causes),
            Kind::Many(errors) => errors.iter().map(|error| format!("{}\n", error.item())).collect(),
            Kind::Status(_) | Kind::Request { .. } => self.item(),
            Kind::Plain => self.text(),
            Kind::Message => {
                let text = self.text();
                if text.starts_with("error: ") { text } else { format!("error: {text}") }
            }
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.item())
    }
}

impl StdError for Error {}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::status(status)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::of(Kind::BrokenPipe, "");
        }
        Self::new(go_io_error(&error))
    }
}

/// The system's words for a failed call as Go prints them: lower case, without the number.
pub fn go_io_error(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => {
            let mut letters = text.chars();
            letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
        }
        None => text,
    }
}

/// A failed call on a file in Go's words: `open FILE: no such file or directory`.
pub fn path_error(call: &str, path: impl AsRef<std::path::Path>, error: &io::Error) -> Error {
    Error::new(format!("{call} {}: {}", path.as_ref().display(), go_io_error(error)))
}

fn status_line(status: &Status) -> String {
    match status.reason.as_str() {
        "Unauthorized" => format!("error: You must be logged in to the server ({})", status.message),
        "" => format!("Error from server: {}", status.message),
        reason => format!("Error from server ({reason}): {}", status.message),
    }
}

fn request_line(url: &str, cause: &str) -> String {
    if cause.contains("connection refused") {
        let host = url::Url::parse(url).ok().and_then(|url| {
            let host = url.host_str()?.to_owned();
            Some(url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}")))
        });
        let host = host.as_deref().unwrap_or(url);
        return format!("The connection to the server {host} was refused - did you specify the right host or port?");
    }
    format!("Unable to connect to the server: {cause}")
}

fn invalid(status: &Status) -> String {
    let mut heading = "The request is invalid".to_owned();
    let Some(details) = &status.details else {
        if !status.message.is_empty() {
            heading = format!("{heading}: {}", status.message);
        }
        return heading;
    };
    if !details.kind.is_empty() || !details.name.is_empty() {
        heading = format!("The {} {} is invalid", details.kind, quote(&details.name));
    } else if !status.message.is_empty() && details.causes.is_empty() {
        heading = format!("{heading}: {}", status.message);
    }
    if details.causes.is_empty() {
        return heading;
    }
    let mut lines = Vec::new();
    for Cause { field, message, .. } in &details.causes {
        let line = format!("{field}: {message}");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    multiline(&format!("{heading}: "), &lines)
}

/// One cause on the heading's line, or one line each.
fn multiline(heading: &str, causes: &[String]) -> String {
    match causes {
        [cause] => format!("{heading}{cause}\n"),
        causes => {
            let lines: String = causes.iter().map(|cause| format!("* {cause}\n")).collect();
            format!("{heading}\n{lines}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::status::Details;

    #[test]
    fn headings_are_kubectls() {
        assert_eq!(Error::new("a").render(), "error: a\n");
        assert_eq!(
            Error::status(Status::not_found("", "pods", "a")).render(),
            "Error from server (NotFound): pods \"a\" not found\n"
        );
        let refused = Error::request("Get", "https://h:6443/api", "dial tcp 1.2.3.4:6443: connect: connection refused");
        assert_eq!(
            refused.render(),
            "The connection to the server h:6443 was refused - did you specify the right host or port?\n"
        );
        assert_eq!(refused.when("creating", "f").text().split(": Get").next(), Some("error when creating \"f\""));
    }

    #[test]
    fn what_could_not_be_read_stands_behind_the_rest() {
        let errors = |texts: &[&str]| texts.iter().map(|text| Error::new(*text)).collect::<Vec<_>>();
        let told =
            |done: &[&str], unread: &[&str]| Error::visited(errors(done), errors(unread)).map_err(|e| e.render());
        assert_eq!(told(&[], &[]).err(), None);
        assert_eq!(told(&[], &["a", "b"]).err().as_deref(), Some("a\nb\n"));
        assert_eq!(told(&["x"], &["a", "b"]).err().as_deref(), Some("x\n[a, b]\n"));
        assert_eq!(told(&["x"], &["a"]).err().as_deref(), Some("x\na\n"));
    }

    #[test]
    fn invalid_objects_list_each_cause_once() {
        let cause = |field: &str| Cause { field: field.into(), message: "Required value".into(), ..Cause::default() };
        let mut status = Status::failure(422, "Invalid", "m").with_details(Details {
            kind: "Pod".into(),
            name: "a".into(),
            causes: vec![cause("spec.x"), cause("spec.x")],
            ..Details::default()
        });
        assert_eq!(
            Error::status(status.clone()).render(),
            "The Pod \"a\" is invalid: \n* spec.x: Required value\n".replace("\n* ", "")
        );
        status.details_mut().causes.push(cause("spec.y"));
        assert_eq!(
            Error::status(status).render(),
            "The Pod \"a\" is invalid: \n* spec.x: Required value\n* spec.y: Required value\n"
        );
    }
}
