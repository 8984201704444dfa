//! The documents of a source, each with its place in it.

use crate::manifest;
use crate::object::Value;

use super::Error;

/// One document of a source.
#[derive(Clone, Debug)]
pub struct Document {
    /// What it holds.
    pub value: Value,
    /// File, URL or `STDIN`.
    pub source: String,
    /// Line at which it begins, from 1.
    pub line: usize,
    /// The document as read, which knows the place of every field; none for what was made otherwise.
    pub origin: Option<std::sync::Arc<manifest::Document>>,
}

/// The documents of a text; empty ones are left out. The last item is the failure that ended the reading, if any.
pub fn documents(text: &[u8], source: &str) -> Vec<Result<Document, Error>> {
    let mut found = Vec::new();
    for document in manifest::documents(text) {
        match document {
            Ok(document) => found.push(Ok(Document {
                value: document.value.clone(),
                source: source.to_owned(),
                line: document.start.line,
                origin: Some(std::sync::Arc::new(document)),
            })),
            Err(error) => {
                found.push(Err(Error::fact(format!("error parsing {source}: {error}"))));
                break;
            }
        }
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
        let lines: Vec<usize> =
            read("a: 1\n---\n# none\n--- # c\nb: 2\n").into_iter().flatten().map(|(_, l)| l).collect();
        assert_eq!(lines, [1, 5]);
        let values: Vec<Value> = read("{\"a\": 1}\n{\"b\": 2}").into_iter().flatten().map(|(value, _)| value).collect();
        assert_eq!(values, [json!({"a": 1}), json!({"b": 2})]);
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
