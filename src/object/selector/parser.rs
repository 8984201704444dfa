//! Tokens and grammar of label selectors.

use super::{Operator, Requirement, SelectorError, fail};
use crate::object::field::{self, Path};
use crate::object::names;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    End,
    ClosedParenthesis,
    Comma,
    Not,
    Operator(Operator),
    Identifier,
    OpenParenthesis,
}

const KEYWORDS: &[(&str, Token)] = &[
    (")", Token::ClosedParenthesis),
    (",", Token::Comma),
    ("!", Token::Not),
    ("==", Token::Operator(Operator::DoubleEquals)),
    ("=", Token::Operator(Operator::Equals)),
    (">", Token::Operator(Operator::GreaterThan)),
    ("in", Token::Operator(Operator::In)),
    ("<", Token::Operator(Operator::LessThan)),
    ("!=", Token::Operator(Operator::NotEquals)),
    ("notin", Token::Operator(Operator::NotIn)),
    ("(", Token::OpenParenthesis),
];

fn keyword(text: &str) -> Option<Token> {
    KEYWORDS.iter().find(|(word, _)| *word == text).map(|(_, token)| *token)
}

fn is_white(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_special(b: u8) -> bool {
    matches!(b, b'=' | b'!' | b'(' | b')' | b',' | b'>' | b'<')
}

/// Cuts a selector into tokens; the last one is [`Token::End`]. A NUL byte ends the text.
fn scan(text: &str) -> Vec<(Token, &str)> {
    let text = text.split('\0').next().unwrap_or_default();
    let bytes = text.as_bytes();
    let mut items = Vec::new();
    let mut start = 0;
    while let Some(byte) = bytes.get(start) {
        if is_white(*byte) {
            start += 1;
            continue;
        }
        let (token, end) = if is_special(*byte) {
            match text.get(start..start + 2).and_then(keyword) {
                Some(token) if bytes.get(start + 1).copied().is_some_and(is_special) => (token, start + 2),
                _ => (keyword(&text[start..=start]).unwrap_or(Token::End), start + 1),
            }
        } else {
            let length = bytes[start..].iter().position(|b| is_special(*b) || is_white(*b));
            let end = length.map_or(text.len(), |n| start + n);
            (keyword(&text[start..end]).unwrap_or(Token::Identifier), end)
        };
        items.push((token, &text[start..end]));
        start = end;
    }
    items.push((Token::End, ""));
    items
}

/// The requirements of a label selector, in the order of the text.
///
/// # Errors
/// With the text of `labels.Parse`.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    Parser { items: scan(text), position: 0 }.parse()
}

struct Parser<'a> {
    items: Vec<(Token, &'a str)>,
    position: usize,
}

impl<'a> Parser<'a> {
    /// The next token, with `in` and `notin` as identifiers.
    fn peek(&self) -> (Token, &'a str) {
        match self.items.get(self.position).copied().unwrap_or((Token::End, "")) {
            (Token::Operator(Operator::In | Operator::NotIn), text) => (Token::Identifier, text),
            item => item,
        }
    }

    fn next(&mut self) -> (Token, &'a str) {
        let item = self.peek();
        self.position += 1;
        item
    }

    fn parse(&mut self) -> Result<Vec<Requirement>, SelectorError> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                (Token::Identifier | Token::Not, _) => {}
                (Token::End, _) => return Ok(requirements),
                (_, text) => return fail(format!("found '{text}', expected: !, identifier, or 'end of string'")),
            }
            match self.requirement() {
                Ok(requirement) => requirements.push(requirement),
                Err(error) => return fail(format!("unable to parse requirement: {error}")),
            }
            match self.next() {
                (Token::End, _) => return Ok(requirements),
                (Token::Comma, _) => {
                    let (token, text) = self.peek();
                    if !matches!(token, Token::Identifier | Token::Not) {
                        return fail(format!("found '{text}', expected: identifier after ','"));
                    }
                }
                (_, text) => return fail(format!("found '{text}', expected: ',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let (mut token, mut key) = self.next();
        let negated = token == Token::Not;
        if negated {
            (token, key) = self.next();
        }
        if token != Token::Identifier {
            return fail(format!("found '{key}', expected: identifier"));
        }
        let wrong = names::is_qualified_name(key);
        if !wrong.is_empty() {
            return fail(field::Error::invalid(&Path::default(), key, wrong.join("; ")).to_string());
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Requirement::new(key, Operator::Exists, Vec::new());
        }
        let operator = self.operator()?;
        let mut values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => self.exact_value()?,
        };
        values.sort();
        values.dedup();
        Requirement::new(key, operator, values)
    }

    fn operator(&mut self) -> Result<Operator, SelectorError> {
        let item = self.items.get(self.position).copied();
        self.position += 1;
        match item {
            Some((Token::Operator(operator), _)) => Ok(operator),
            other => {
                let text = other.map(|(_, text)| text).unwrap_or_default();
                fail(format!("found '{text}', expected: in, notin, =, ==, !=, gt, lt"))
            }
        }
    }

    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        let (token, text) = self.next();
        if token != Token::OpenParenthesis {
            return fail(format!("found '{text}' expected: '('"));
        }
        let (token, first) = self.peek();
        match token {
            Token::Identifier | Token::Comma => {
                let values = self.identifiers()?;
                if self.next().0 != Token::ClosedParenthesis {
                    return fail(format!("found '{first}', expected: ')'"));
                }
                Ok(values)
            }
            Token::ClosedParenthesis => {
                self.next();
                Ok(vec![String::new()])
            }
            _ => fail(format!("found '{first}', expected: ',', ')' or identifier")),
        }
    }

    /// A list of values; an empty one stands wherever a comma has nothing on one side.
    fn identifiers(&mut self) -> Result<Vec<String>, SelectorError> {
        let mut values = Vec::new();
        loop {
            match self.next() {
                (Token::Identifier, text) => {
                    values.push(text.to_owned());
                    match self.peek() {
                        (Token::Comma, _) => {}
                        (Token::ClosedParenthesis, _) => return Ok(values),
                        (_, text) => return fail(format!("found '{text}', expected: ',' or ')'")),
                    }
                }
                (Token::Comma, _) => {
                    let next = self.peek().0;
                    if values.is_empty() || matches!(next, Token::ClosedParenthesis | Token::Comma) {
                        values.push(String::new());
                    }
                    if next == Token::ClosedParenthesis {
                        return Ok(values);
                    }
                }
                (_, text) => return fail(format!("found '{text}', expected: ',', or identifier")),
            }
        }
    }

    fn exact_value(&mut self) -> Result<Vec<String>, SelectorError> {
        if matches!(self.peek().0, Token::End | Token::Comma) {
            return Ok(vec![String::new()]);
        }
        match self.next() {
            (Token::Identifier, text) => Ok(vec![text.to_owned()]),
            (_, text) => fail(format!("found '{text}', expected: identifier")),
        }
    }
}
