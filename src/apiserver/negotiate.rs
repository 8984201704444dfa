//! Content negotiation: what a client accepts, and what it sends.

use crate::object::Status;

/// How a body is written. Answers are JSON or YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/json`.
    Json,
    /// `application/yaml`.
    Yaml,
    /// `application/vnd.kubernetes.protobuf`.
    Protobuf,
}

impl Encoding {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }
}

/// What an object is turned into before it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The object itself.
    #[default]
    Object,
    /// `meta.k8s.io` Table of the version.
    Table(String),
    /// `meta.k8s.io` PartialObjectMetadata of the version.
    Metadata(String),
    /// `meta.k8s.io` PartialObjectMetadataList of the version.
    MetadataList(String),
}

/// The outcome of negotiation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Bytes.
    pub encoding: Encoding,
    /// Shape.
    pub form: Form,
    /// Indented JSON, as browsers and curl get it.
    pub pretty: bool,
}

impl Default for Accepted {
    fn default() -> Self {
        Self { encoding: Encoding::Json, form: Form::Object, pretty: false }
    }
}

/// One clause of an Accept header.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// `application/json`.
    pub media_type: String,
    /// Parameters but `q`.
    pub parameters: Vec<(String, String)>,
    quality: f32,
}

impl Clause {
    /// A parameter's value, or the empty text.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// Takes an Accept header apart, best clause first.
pub fn clauses(header: &str) -> Vec<Clause> {
    let mut clauses: Vec<Clause> = header.split(',').filter_map(clause).collect();
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    clauses
}

fn clause(text: &str) -> Option<Clause> {
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next().filter(|media_type| !media_type.is_empty())?.to_lowercase();
    let mut clause = Clause { media_type, parameters: Vec::new(), quality: 1.0 };
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim().trim_matches('"');
        if key.trim() == "q" {
            clause.quality = value.parse().unwrap_or(1.0);
        } else {
            clause.parameters.push((key.trim().to_owned(), value.to_owned()));
        }
    }
    Some(clause)
}

/// The shape that a clause's `as`, `g` and `v` ask for; `None` when there is no such shape.
fn form(clause: &Clause) -> Option<Form> {
    let (shape, group, version) = (clause.parameter("as"), clause.parameter("g"), clause.parameter("v"));
    if shape.is_empty() {
        return Some(Form::Object);
    }
    if group != "meta.k8s.io" || !matches!(version, "v1" | "v1beta1") {
        return None;
    }
    match shape {
        "Table" => Some(Form::Table(version.to_owned())),
        "PartialObjectMetadata" => Some(Form::Metadata(version.to_owned())),
        "PartialObjectMetadataList" => Some(Form::MetadataList(version.to_owned())),
        _ => None,
    }
}

/// Chooses how to answer an Accept header.
///
/// # Errors
///
/// 406 when nothing that the client accepts can be written.
pub fn accept(header: &str, watch: bool) -> Result<Accepted, Status> {
    if header.trim().is_empty() {
        return Ok(Accepted::default());
    }
    let clauses = clauses(header);
    if !clauses.iter().any(|clause| PRODUCED.contains(&clause.media_type.as_str())) {
        return Err(unknown_type(watch));
    }
    for clause in clauses {
        let encoding = match clause.media_type.as_str() {
            "application/json" | "*/*" | "application/*" => Encoding::Json,
            "application/yaml" => Encoding::Yaml,
            _ => continue,
        };
        if watch && encoding == Encoding::Yaml {
            continue;
        }
        if let Some(form) = form(&clause) {
            let pretty = matches!(clause.parameter("pretty"), "1" | "true");
            return Ok(Accepted { encoding, form, pretty });
        }
    }
    Err(not_acceptable(watch))
}

/// Media types that routes offer, and wildcards for them.
const PRODUCED: &[&str] =
    &["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "application/*", "*/*"];

/// What the router says of an Accept header without any type that it knows.
fn unknown_type(list: bool) -> Status {
    let streams = ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
    let message = format!(
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
         application/vnd.kubernetes.protobuf{}",
        if list { streams } else { "" }
    );
    Status::failure(406, "NotAcceptable", message).with_details(Default::default())
}

fn not_acceptable(watch: bool) -> Status {
    let types = if watch {
        "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
    } else {
        "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    };
    Status::failure(406, "NotAcceptable", format!("only the following media types are accepted: {types}"))
}

/// How a request's body is to be read.
///
/// # Errors
///
/// 415 for media types that are not read.
pub fn body_encoding(content_type: Option<&str>) -> Result<Encoding, Status> {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_lowercase();
    match media_type.as_str() {
        "" | "application/json" => Ok(Encoding::Json),
        "application/yaml" => Ok(Encoding::Yaml),
        "application/vnd.kubernetes.protobuf" => Ok(Encoding::Protobuf),
        _ => Err(Status::failure(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json, \
             application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_clause_that_can_be_served_wins() {
        let accepted = |header| accept(header, false).map(|a| (a.encoding, a.form));
        assert_eq!(accepted(""), Ok((Encoding::Json, Form::Object)));
        assert_eq!(
            accepted("application/vnd.kubernetes.protobuf, application/json"),
            Ok((Encoding::Json, Form::Object))
        );
        assert_eq!(
            accepted("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"),
            Ok((Encoding::Json, Form::Table("v1".into())))
        );
        assert_eq!(
            accepted("application/json;as=Nope;v=v1;g=meta.k8s.io,application/yaml"),
            Ok((Encoding::Yaml, Form::Object))
        );
        assert_eq!(accepted("text/html").map_err(|s| s.code), Err(406));
        assert_eq!(accepted("text/html;q=0.9, */*;q=0.1"), Ok((Encoding::Json, Form::Object)));
    }
}
