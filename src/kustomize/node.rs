//! Objects as builds hold them: texts keep their spelling and their quotes until the end, so that a value copied from
//! one place to another stays what it was.

use serde_json::{Map, Number};

use super::Error;
use crate::manifest::{self, PlainValue, float_text, needs_quotes, resolve_plain};
use crate::object::Value;

/// What type a text was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// Not decided: the text decides when it is written.
    Open,
    Text,
    Int,
    Float,
    Bool,
    Null,
    Timestamp,
    /// `<<` without quotes.
    Merge,
}

/// A text, its type, and whether it stands in quotes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar {
    pub text: String,
    pub tag: Tag,
    pub quoted: bool,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Fields),
}

/// Keys and values in order.
pub(super) type Fields = Vec<(String, Node)>;

impl Scalar {
    /// A text whose type is decided when it is written.
    pub fn open(text: impl Into<String>) -> Self {
        Self { text: text.into(), tag: Tag::Open, quoted: false }
    }

    /// A text that stays one.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), tag: Tag::Text, quoted: false }
    }

    fn tagged(text: impl Into<String>, tag: Tag) -> Self {
        Self { text: text.into(), tag, quoted: false }
    }

    /// Whether the value counts as a text before it is written.
    pub fn is_text(&self) -> bool {
        matches!(self.tag, Tag::Text | Tag::Open)
    }

    /// The tag that YAML has to name, since the text alone does not have it.
    pub fn explicit_tag(&self) -> Option<&'static str> {
        let implied = matches!(self.tag, Tag::Open | Tag::Text | Tag::Merge);
        (!implied && !self.quoted && kind_of(&resolve_plain(&self.text)) != self.tag).then(|| short(self.tag))
    }

    /// The value that is written.
    fn value(&self) -> Result<Value, Error> {
        if self.quoted || self.tag == Tag::Text {
            return Ok(Value::String(self.text.clone()));
        }
        let plain = resolve_plain(&self.text);
        let found = kind_of(&plain);
        if self.tag != Tag::Open && self.tag != Tag::Merge && found != self.tag {
            if let (Tag::Float, PlainValue::Int(whole)) = (self.tag, &plain) {
                return Ok(Value::Number(whole.clone()));
            }
            let (found, wanted) = (short(found), short(self.tag));
            return Err(Error::fact(format!("yaml: cannot decode {found} `{}` as a {wanted}", self.text)));
        }
        Ok(match plain {
            PlainValue::Null => Value::Null,
            PlainValue::Bool(value) => Value::Bool(value),
            PlainValue::Int(whole) => Value::Number(whole),
            PlainValue::Float(float) => match Number::from_f64(float) {
                Some(number) => Value::Number(number),
                None => return Err(Error::fact(format!("json: unsupported value: {}", go_special(float)))),
            },
            PlainValue::Timestamp => Value::String(time_text(&self.text)),
            PlainValue::Text => Value::String(self.text.clone()),
        })
    }
}

fn go_special(float: f64) -> &'static str {
    match float {
        float if float.is_nan() => "NaN",
        float if float > 0.0 => "+Inf",
        _ => "-Inf",
    }
}

fn kind_of(plain: &PlainValue) -> Tag {
    match plain {
        PlainValue::Null => Tag::Null,
        PlainValue::Bool(_) => Tag::Bool,
        PlainValue::Int(_) => Tag::Int,
        PlainValue::Float(_) => Tag::Float,
        PlainValue::Timestamp => Tag::Timestamp,
        PlainValue::Text => Tag::Text,
    }
}

fn short(tag: Tag) -> &'static str {
    match tag {
        Tag::Open | Tag::Text => "!!str",
        Tag::Int => "!!int",
        Tag::Float => "!!float",
        Tag::Bool => "!!bool",
        Tag::Null => "!!null",
        Tag::Timestamp => "!!timestamp",
        Tag::Merge => "!!merge",
    }
}

/// A time as Go's `time.Time` is written into JSON (RFC 3339 with the fraction's zeros cut).
fn time_text(text: &str) -> String {
    use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
    let finish = |text: String| match text.split_once('.') {
        Some((whole, rest)) => {
            let zone = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let fraction = rest[..zone].trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            format!("{whole}{point}{fraction}{}", &rest[zone..])
        }
        None => text,
    };
    let spaced = text.replacen(['t', ' '], "T", 1);
    if let Ok(time) = DateTime::parse_from_rfc3339(&spaced) {
        let utc = time.offset().local_minus_utc() == 0;
        return finish(time.to_rfc3339_opts(SecondsFormat::Nanos, utc));
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN));
    let moment = day.or_else(|_| NaiveDateTime::parse_from_str(&spaced, "%Y-%m-%dT%H:%M:%S%.f"));
    moment.map_or_else(
        |_| text.to_owned(),
        |moment| {
            finish(DateTime::<Utc>::from_naive_utc_and_offset(moment, Utc).to_rfc3339_opts(SecondsFormat::Nanos, true))
        },
    )
}

impl Node {
    /// An empty map.
    pub fn map() -> Self {
        Self::Map(Vec::new())
    }

    /// A text that stays one.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Scalar(Scalar::text(text))
    }

    /// Makes a node of what was read; what `<<` names is merged in.
    pub fn from_raw(raw: manifest::Node) -> Result<Self, Error> {
        Ok(match raw {
            manifest::Node::Scalar { text, tag, plain } => Self::Scalar(read_scalar(text, &tag, plain)),
            manifest::Node::Sequence(items) => {
                Self::List(items.into_iter().map(Self::from_raw).collect::<Result<_, _>>()?)
            }
            manifest::Node::Mapping(pairs) => Self::Map(merged(pairs)?),
        })
    }

    /// Makes a node of a value; whole floats become whole numbers, as they do on their way through Go's JSON reader.
    pub fn from_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::Scalar(Scalar::tagged("null", Tag::Null)),
            Value::Bool(value) => Self::Scalar(Scalar::tagged(value.to_string(), Tag::Bool)),
            Value::Number(number) => {
                let text = number.as_f64().map_or_else(|| number.to_string(), float_text);
                let tag = if text.contains(['.', 'e']) { Tag::Float } else { Tag::Int };
                Self::Scalar(Scalar::tagged(text, tag))
            }
            Value::String(text) => Self::text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from_value).collect()),
            Value::Object(map) => {
                Self::Map(map.iter().map(|(key, value)| (key.clone(), Self::from_value(value))).collect())
            }
        }
    }

    /// The value that is written.
    ///
    /// # Errors
    /// A text does not fit its type, or JSON has no such number.
    pub fn to_value(&self) -> Result<Value, Error> {
        Ok(match self {
            Self::Scalar(scalar) => scalar.value()?,
            Self::List(items) => Value::Array(items.iter().map(Self::to_value).collect::<Result<_, _>>()?),
            Self::Map(fields) => {
                let mut map = Map::new();
                for (key, value) in fields {
                    map.insert(key.clone(), value.to_value()?);
                }
                Value::Object(map)
            }
        })
    }

    /// What a text says; nothing for lists and maps.
    pub fn scalar_text(&self) -> &str {
        match self {
            Self::Scalar(scalar) => &scalar.text,
            _ => "",
        }
    }

    /// Whether it is a null, not a text that says so.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(scalar) if scalar.tag == Tag::Null)
    }

    /// Whether it is null, or an empty list or map.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(scalar) => scalar.tag == Tag::Null,
            Self::List(items) => items.is_empty(),
            Self::Map(fields) => fields.is_empty(),
        }
    }

    /// `MappingNode`, `SequenceNode` or `ScalarNode`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "ScalarNode",
            Self::List(_) => "SequenceNode",
            Self::Map(_) => "MappingNode",
        }
    }

    /// The field of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match self {
            Self::Map(fields) => fields.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The field at the end of a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Takes a field out of a map.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        let Self::Map(fields) = self else { return None };
        let at = fields.iter().position(|(name, _)| name == key)?;
        Some(fields.remove(at).1)
    }

    /// The field of a map, made with `new` where it is missing; none if this is no map.
    pub fn entry(&mut self, key: &str, new: impl FnOnce() -> Self) -> Option<&mut Self> {
        let Self::Map(fields) = self else { return None };
        let at = match fields.iter().position(|(name, _)| name == key) {
            Some(at) => at,
            None => {
                fields.push((key.to_owned(), new()));
                fields.len() - 1
            }
        };
        fields.get_mut(at).map(|(_, value)| value)
    }

    /// Puts a value in this one's place; a text takes over the quotes of the one before.
    pub fn replace(&mut self, mut value: Self) {
        if let (Self::Scalar(new), Self::Scalar(old)) = (&mut value, &*self) {
            new.quoted = old.quoted;
        }
        *self = value;
    }

    /// Sets a field of a map (`FieldSetter`): an existing one is replaced, a null removes it.
    pub fn set(&mut self, key: &str, mut value: Self) {
        if value.is_null() {
            self.remove(key);
            return;
        }
        if let Some(old) = self.get_mut(key) {
            old.replace(value);
            return;
        }
        if let Self::Scalar(scalar) = &mut value
            && scalar.is_text()
            && needs_quotes(&scalar.text)
        {
            scalar.quoted = true;
        }
        if let Self::Map(fields) = self {
            fields.push((key.to_owned(), value));
        }
    }
}

fn read_scalar(text: String, tag: &str, plain: bool) -> Scalar {
    let tag = match tag.strip_prefix("tag:yaml.org,2002:") {
        _ if plain && text == "<<" => Tag::Merge,
        _ if plain => kind_of(&resolve_plain(&text)),
        Some("int") => Tag::Int,
        Some("float") => Tag::Float,
        Some("bool") => Tag::Bool,
        Some("null") => Tag::Null,
        Some("timestamp") => Tag::Timestamp,
        _ => Tag::Text,
    };
    let quoted = !plain && tag == Tag::Text;
    Scalar { text, tag, quoted }
}

/// The fields of a map with those that its `<<` names: earlier ones of a list win over later ones, own ones over all.
fn merged(pairs: Vec<(manifest::Node, manifest::Node)>) -> Result<Fields, Error> {
    let mut own: Fields = Vec::with_capacity(pairs.len());
    let mut sources: Option<Vec<Fields>> = None;
    for (key, value) in pairs {
        let manifest::Node::Scalar { text, tag, plain } = key else {
            return Err(Error::fact("json: unsupported type: map[interface {}]interface {}"));
        };
        let key = read_scalar(text, &tag, plain);
        if key.tag == Tag::Merge {
            if sources.is_some() {
                return Err(Error::fact("duplicate merge key"));
            }
            sources = Some(merge_sources(value)?);
            continue;
        }
        if key.tag != Tag::Text {
            return Err(Error::fact("json: unsupported type: map[interface {}]interface {}"));
        }
        own.push((key.text, Node::from_raw(value)?));
    }
    let Some(sources) = sources else { return Ok(own) };
    let mut fields: Fields = Vec::new();
    for (key, value) in sources.into_iter().flatten().chain(own) {
        match fields.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => fields.push((key, value)),
        }
    }
    Ok(fields)
}

/// What a `<<` names, weakest first.
fn merge_sources(value: manifest::Node) -> Result<Vec<Fields>, Error> {
    match value {
        manifest::Node::Mapping(pairs) => Ok(vec![merged(pairs)?]),
        manifest::Node::Sequence(items) => {
            let mut sources = Vec::new();
            for item in items.into_iter().rev() {
                if matches!(item, manifest::Node::Sequence(_)) {
                    return Err(Error::fact("invalid map merge: received a nested sequence"));
                }
                sources.extend(merge_sources(item)?);
            }
            Ok(sources)
        }
        manifest::Node::Scalar { .. } => Err(Error::fact("map merge requires map or sequence of maps as the value")),
    }
}
