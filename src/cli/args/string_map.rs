//! `key=value` pairs in one flag, as pflag's `StringToString` reads them.

use std::str::FromStr;

/// Pairs in the order given; a single pair may hold commas where it is quoted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StringMap(pub Vec<(String, String)>);

impl FromStr for StringMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = match text.matches('=').count() {
            0 => return Err(format!("{text} must be formatted as key=value")),
            1 => vec![text.trim_matches('"').to_owned()],
            _ => fields(text)?,
        };
        let pair = |part: String| match part.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(format!("{part} must be formatted as key=value")),
        };
        parts.into_iter().map(pair).collect::<Result<_, _>>().map(Self)
    }
}

/// The fields of one line of comma-separated values.
fn fields(line: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let (field, after) = rest.split_once(',').map_or((rest, None), |(field, after)| (field, Some(after)));
            if let Some(at) = field.find('"') {
                let column = line.len() - rest.len() + at + 1;
                return Err(format!("parse error on line 1, column {column}: bare \" in non-quoted-field"));
            }
            fields.push(field.to_owned());
            match after {
                Some(after) => rest = after,
                None => return Ok(fields),
            }
            continue;
        };
        let mut field = String::new();
        let mut inner = quoted;
        loop {
            let Some((text, after)) = inner.split_once('"') else {
                let end = line.len() + 1;
                return Err(format!("parse error on line 1, column {end}: extraneous or missing \" in quoted-field"));
            };
            field.push_str(text);
            match after.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    inner = more;
                }
                None => {
                    inner = after;
                    break;
                }
            }
        }
        fields.push(field);
        match inner.strip_prefix(',') {
            Some(after) => rest = after,
            None if inner.is_empty() => return Ok(fields),
            None => {
                let column = line.len() - inner.len();
                return Err(format!(
                    "parse error on line 1, column {column}: extraneous or missing \" in quoted-field"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read() {
        let read = |text: &str| text.parse::<StringMap>().map(|map| map.0);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(read("a=b"), Ok(vec![pair("a", "b")]));
        assert_eq!(read("a=b,c"), Ok(vec![pair("a", "b,c")]));
        assert_eq!(read("a=b,c=d"), Ok(vec![pair("a", "b"), pair("c", "d")]));
        assert_eq!(read("\"a=b,c\",d=e"), Ok(vec![pair("a", "b,c"), pair("d", "e")]));
        assert_eq!(read("a"), Err("a must be formatted as key=value".into()));
        assert_eq!(read("a=b,c=d,e"), Err("e must be formatted as key=value".into()));
    }
}
