//! What can be wrong with a manifest, in the words of the libraries that Kubernetes reads manifests with,
//! and where it is wrong.

use std::fmt;

/// A place in a text: both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
}

impl Position {
    /// The same place in a text that has `lines` more lines in front.
    pub fn below(self, lines: usize) -> Position {
        Position { line: self.line + lines, column: self.column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A key that a mapping holds already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateKey {
    /// The key as Go prints it: text in quotes, numbers bare.
    pub key: String,
    /// Where the later key stands; for a merged key, where it stands in the merged mapping.
    pub at: Position,
    /// The line that the message names: that of the later value.
    pub value_line: usize,
}

/// Why a text is no manifest. The text of an error is that of `sigs.k8s.io/yaml` and `encoding/json`;
/// [`Error::position`] says where, counted in the text that was given.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The text is not YAML.
    #[error("yaml: {}{problem}", line_prefix(*.line))]
    Syntax {
        /// What was found or missed.
        problem: String,
        /// The line that the message names, if it names one: the reference counts it in its own way.
        line: usize,
        /// The line that newer releases of the reference name: where what cannot be read begins. 0 if none.
        begin: usize,
        /// Where it really is.
        at: Position,
    },
    /// A value does not fit its tag, its anchor or its place.
    #[error("yaml: {problem}")]
    Value {
        /// What is wrong.
        problem: String,
        /// The value.
        at: Position,
    },
    /// Keys given more than once, where that is not allowed.
    #[error("yaml: unmarshal errors:{}", duplicate_lines(.0))]
    Duplicates(Vec<DuplicateKey>),
    /// A key that JSON cannot have.
    #[error("unsupported map key of type: {kind}, key: {key}, value: {value}")]
    Key {
        /// Go's name of the type.
        kind: &'static str,
        /// The key as Go prints it.
        key: String,
        /// Its value as Go prints it.
        value: String,
        /// The key.
        at: Position,
    },
    /// A number that JSON cannot write.
    #[error("json: unsupported value: {value}")]
    Number {
        /// `NaN`, `+Inf` or `-Inf`.
        value: &'static str,
        /// The value.
        at: Position,
    },
    /// The text is not JSON.
    #[error("{problem}")]
    Json {
        /// What was found or missed.
        problem: String,
        /// Bytes read up to and with the offending one; none when the text ended too early.
        offset: Option<usize>,
        /// The offending character.
        at: Position,
    },
    /// Text behind a `---` line's dashes that is no comment.
    #[error("invalid Yaml document separator: {text}")]
    Separator {
        /// The text behind the dashes.
        text: String,
        /// The separator.
        at: Position,
    },
}

impl Error {
    /// The text of `go.yaml.in/yaml/v3`, which counts the lines of syntax errors in another way.
    pub fn newer_text(&self) -> String {
        match self {
            Error::Syntax { problem, begin, .. } => format!("yaml: {}{problem}", line_prefix(*begin)),
            other => other.to_string(),
        }
    }

    /// Where the first fault is.
    pub fn position(&self) -> Position {
        match self {
            Error::Syntax { at, .. }
            | Error::Value { at, .. }
            | Error::Key { at, .. }
            | Error::Number { at, .. }
            | Error::Json { at, .. }
            | Error::Separator { at, .. } => *at,
            Error::Duplicates(keys) => keys.first().map_or(Position { line: 1, column: 1 }, |key| key.at),
        }
    }
}

fn line_prefix(line: usize) -> String {
    if line == 0 { String::new() } else { format!("line {line}: ") }
}

fn duplicate_lines(keys: &[DuplicateKey]) -> String {
    keys.iter().map(|key| format!("\n  line {}: key {} already set in map", key.value_line, key.key)).collect()
}
