//! Splitting a stream of YAML or JSON into documents.

use serde_json::Value;

use super::Error;
use crate::manifest;

/// One document of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it holds.
    pub value: Value,
    /// File, URL or `STDIN`.
    pub source: String,
    /// Line at which it begins, from 1.
    pub line: usize,
}

/// The documents of a text; empty ones are left out. The last item is the failure that ended the reading, if any.
pub fn documents(text: &[u8], source: &str) -> Vec<Result<Document, Error>> {
    let text = decoded(text);
    let failed = |why: String| Err(Error::fact(format!("error parsing {source}: {why}")));
    if text.trim_ascii_start().starts_with(b"{") {
        return json_documents(&text, source);
    }
    let mut found = Vec::new();
    for (line, part) in parts(&text) {
        let part = match part {
            Ok(part) => part,
            Err(why) => {
                found.push(failed(why));
                break;
            }
        };
        match manifest::yaml_to_value(part, false) {
            Ok(Value::Null) => {}
            Ok(value) => found.push(Ok(Document { value, source: source.to_owned(), line })),
            Err(error) => {
                let why = error.to_string();
                let prefix = "error converting YAML to JSON: ";
                found.push(failed(if why.starts_with(prefix) { why } else { format!("{prefix}{why}") }));
                break;
            }
        }
    }
    found
}

/// The text as UTF-8: a byte order mark is taken off, UTF-16 is converted.
fn decoded(text: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let wide = |pairs: &[u8], join: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = pairs.chunks_exact(2).map(|pair| join([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units).into_bytes()
    };
    match text {
        [0xEF, 0xBB, 0xBF, rest @ ..] => rest.into(),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes).into(),
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes).into(),
        text => text.into(),
    }
}

fn json_documents(text: &[u8], source: &str) -> Vec<Result<Document, Error>> {
    let mut found = Vec::new();
    let mut stream = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    loop {
        let start = stream.byte_offset();
        let blank = text[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let line = 1 + memchr::memchr_iter(b'\n', &text[..start + blank]).count();
        match stream.next() {
            None => return found,
            Some(Ok(Value::Null)) => {}
            Some(Ok(value)) => found.push(Ok(Document { value, source: source.to_owned(), line })),
            Some(Err(error)) => {
                // What begins like JSON may yet be YAML, such as a flow mapping with plain keys.
                if found.is_empty()
                    && !error.is_eof()
                    && let Ok(value) = manifest::yaml_to_value(text, false)
                {
                    return vec![Ok(Document { value, source: source.to_owned(), line: 1 })];
                }
                let why = if error.is_eof() { "unexpected EOF".to_owned() } else { format!("json: {error}") };
                found.push(Err(Error::fact(format!("error parsing {source}: {why}"))));
                return found;
            }
        }
    }
}

type Part<'a> = Result<&'a [u8], String>;

/// The parts of a YAML text between lines that begin with `---`, each with the line it begins at.
fn parts(text: &[u8]) -> Vec<(usize, Part<'_>)> {
    let mut found = Vec::new();
    let (mut begin, mut begin_line) = (0, 1);
    let (mut at, mut line) = (0, 1);
    while at < text.len() {
        let end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |offset| at + offset + 1);
        if let Some(rest) = text[at..end].strip_prefix(b"---") {
            let rest = rest.trim_ascii();
            if rest.is_empty() || rest.starts_with(b"#") {
                if !text[begin..at].is_empty() {
                    found.push((begin_line, Ok(&text[begin..at])));
                }
                (begin, begin_line) = (end, line + 1);
            } else if at > begin {
                let rest = String::from_utf8_lossy(rest).into_owned();
                found.push((line, Err(format!("invalid Yaml document separator: {rest}"))));
                return found;
            }
        }
        (at, line) = (end, line + 1);
    }
    if begin < text.len() {
        found.push((begin_line, Ok(&text[begin..])));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Vec<Result<(Value, usize), String>> {
        let one = |document: Result<Document, Error>| match document {
            Ok(document) => Ok((document.value, document.line)),
            Err(error) => Err(error.to_string()),
        };
        documents(text.as_bytes(), "f").into_iter().map(one).collect()
    }

    #[test]
    fn streams_are_split_with_their_lines() {
        assert_eq!(
            read("---\na: 1\n---\n# none\n--- # c\nb: 2\n"),
            [Ok((json!({"a": 1}), 2)), Ok((json!({"b": 2}), 6))]
        );
        assert_eq!(read("{\"a\": 1}\n{\"b\": 2}"), [Ok((json!({"a": 1}), 1)), Ok((json!({"b": 2}), 2))]);
        assert_eq!(read(""), []);
        assert_eq!(read("{\"a\": 1,"), [Err("error parsing f: unexpected EOF".to_owned())]);
    }

    #[test]
    fn a_malformed_document_ends_the_stream() {
        let read = read("a: 1\n---\nb:\n\tc: 1\n---\nd: 1\n");
        assert_eq!(read.len(), 2);
        assert!(read[1].as_ref().is_err_and(|why| why.starts_with("error parsing f: error converting YAML to JSON: ")));
    }
}
