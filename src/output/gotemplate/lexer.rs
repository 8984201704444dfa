//! Cuts a template into tokens.

use crate::object::go;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Assign,
    Declare,
    End,
    Field,
    Function,
    LeftDelimiter,
    LeftParenthesis,
    Number,
    Pipe,
    RawText,
    RightDelimiter,
    RightParenthesis,
    Space,
    Quoted,
    Text,
    Variable,
    Dot,
    Nil,
    /// `if`, `range`, `end` and the like.
    Keyword,
}

/// One token: its text, or the message of an error.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub pos: usize,
    pub line: usize,
    pub text: String,
}

impl Token {
    pub(super) fn is_keyword(&self, word: &str) -> bool {
        self.kind == Kind::Keyword && self.text == word
    }

    /// The token as messages show it.
    pub(super) fn show(&self) -> String {
        match self.kind {
            Kind::End => "EOF".to_owned(),
            Kind::Error => self.text.clone(),
            Kind::Keyword | Kind::Dot | Kind::Nil => format!("<{}>", self.text),
            _ if self.text.len() > 10 => {
                let short: String = self.text.chars().take(10).collect();
                format!("{}...", go::quote(&short))
            }
            _ => go::quote(&self.text),
        }
    }
}

const KEYWORDS: &[&str] = &["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// A character as Go's `%#U` shows it; the end of the text is -1 there.
fn show(c: Option<char>) -> String {
    match c {
        None => "U+FFFFFFFFFFFFFFFF".to_owned(),
        Some(c) => {
            let code = format!("U+{:04X}", c as u32);
            if c.is_control() || (c.is_whitespace() && c != ' ') { code } else { format!("{code} '{c}'") }
        }
    }
}

/// All tokens of `text`; the last one is [`Kind::End`] or [`Kind::Error`].
pub(super) fn scan(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, start: 0, pos: 0, line: 1, counted: 0, depth: 0, tokens: Vec::new() };
    if lexer.run().is_ok() {
        lexer.emit(Kind::End);
    }
    lexer.tokens
}

/// The error token is already among the tokens.
struct Stop;

struct Lexer<'a> {
    text: &'a str,
    start: usize,
    pos: usize,
    /// Line of `counted`, counted from 1.
    line: usize,
    counted: usize,
    depth: usize,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    fn line_of_start(&mut self) -> usize {
        self.line += self.text[self.counted..self.start].matches('\n').count();
        self.counted = self.start;
        self.line
    }

    fn emit(&mut self, kind: Kind) {
        self.emit_text(kind, self.text[self.start..self.pos].to_owned());
    }

    fn emit_text(&mut self, kind: Kind, text: String) {
        let line = self.line_of_start();
        self.tokens.push(Token { kind, pos: self.start, line, text });
        self.start = self.pos;
    }

    fn fail(&mut self, message: impl Into<String>) -> Result<(), Stop> {
        let line = self.line_of_start();
        self.tokens.push(Token { kind: Kind::Error, pos: self.start, line, text: message.into() });
        Err(Stop)
    }

    fn skip_to(&mut self, pos: usize) {
        self.pos = pos;
        self.start = pos;
    }

    fn run(&mut self) -> Result<(), Stop> {
        while let Some(at) = self.rest().find("{{") {
            let delimiter = self.pos + at;
            let trim = has_left_trim(&self.text[delimiter + 2..]);
            let text = &self.text[self.start..delimiter];
            let text = if trim { text.trim_end_matches(is_space) } else { text };
            self.pos = self.start + text.len();
            if !text.is_empty() {
                self.emit(Kind::Text);
            }
            self.skip_to(delimiter);
            self.action(trim)?;
        }
        self.pos = self.text.len();
        if self.pos > self.start {
            self.emit(Kind::Text);
        }
        Ok(())
    }

    /// One action with its delimiters, or a comment.
    fn action(&mut self, trim: bool) -> Result<(), Stop> {
        let inside = self.pos + if trim { 4 } else { 2 };
        if self.text[self.pos + 2 + usize::from(trim) * 2..].starts_with("/*") {
            return self.comment(inside);
        }
        self.pos += 2;
        self.emit(Kind::LeftDelimiter);
        self.skip_to(inside.min(self.text.len()));
        self.depth = 0;
        loop {
            if let Some(trim) = self.at_right_delimiter() {
                if self.depth > 0 {
                    return self.fail("unclosed left paren");
                }
                self.right_delimiter(trim);
                return Ok(());
            }
            self.inside_action()?;
        }
    }

    fn comment(&mut self, start: usize) -> Result<(), Stop> {
        self.skip_to(start);
        let Some(end) = self.text[start + 2..].find("*/") else { return self.fail("unclosed comment") };
        self.pos = start + 2 + end + 2;
        let Some(trim) = self.at_right_delimiter() else {
            return self.fail("comment ends before closing delimiter");
        };
        self.skip_right_delimiter(trim);
        Ok(())
    }

    /// Whether the right delimiter follows, and if so whether it trims what comes after it.
    fn at_right_delimiter(&self) -> Option<bool> {
        let rest = self.rest();
        let mut chars = rest.chars();
        if chars.next().is_some_and(is_space) && chars.as_str().starts_with("-}}") {
            return Some(true);
        }
        rest.starts_with("}}").then_some(false)
    }

    fn right_delimiter(&mut self, trim: bool) {
        if trim {
            self.skip_to(self.pos + 2);
        }
        self.pos += 2;
        self.emit(Kind::RightDelimiter);
        if trim {
            self.skip_to(self.text.len() - self.rest().trim_start_matches(is_space).len());
        }
    }

    fn skip_right_delimiter(&mut self, trim: bool) {
        self.skip_to(self.pos + if trim { 4 } else { 2 });
        if trim {
            self.skip_to(self.text.len() - self.rest().trim_start_matches(is_space).len());
        }
    }

    fn inside_action(&mut self) -> Result<(), Stop> {
        let Some(c) = self.rest().chars().next() else { return self.fail("unclosed action") };
        let second = self.rest()[c.len_utf8()..].chars().next();
        match c {
            c if is_space(c) => self.space(),
            '=' => self.single(Kind::Assign),
            ':' if second == Some('=') => {
                self.pos += 2;
                self.emit(Kind::Declare);
            }
            ':' => return self.fail("expected :="),
            '|' => self.single(Kind::Pipe),
            '"' => return self.quoted('"', Kind::Quoted, "unterminated quoted string"),
            '\'' => return self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => match self.rest()[1..].find('`') {
                None => return self.fail("unterminated raw quoted string"),
                Some(end) => {
                    self.pos += end + 2;
                    self.emit(Kind::RawText);
                }
            },
            '$' => return self.field_or_variable(Kind::Variable),
            '.' if second.is_none_or(|c| !c.is_ascii_digit()) && second.is_some() => {
                return self.field_or_variable(Kind::Field);
            }
            '.' | '+' | '-' | '0'..='9' => return self.number(),
            c if is_word(c) => return self.identifier(),
            '(' => {
                self.depth += 1;
                self.single(Kind::LeftParenthesis);
            }
            ')' if self.depth == 0 => return self.fail("unexpected right paren"),
            ')' => {
                self.depth -= 1;
                self.single(Kind::RightParenthesis);
            }
            '!'..='~' => self.single(Kind::Char),
            c => return self.fail(format!("unrecognized character in action: {}", show(Some(c)))),
        }
        Ok(())
    }

    fn single(&mut self, kind: Kind) {
        self.pos += 1;
        self.emit(kind);
    }

    /// A run of space, which ends before the blank of a trimming delimiter.
    fn space(&mut self) {
        let rest = self.rest();
        let length = rest.len() - rest.trim_start_matches(is_space).len();
        self.pos += length;
        if self.rest().starts_with("-}}") {
            self.pos -= 1;
        }
        if self.pos > self.start {
            self.emit(Kind::Space);
        }
    }

    fn quoted(&mut self, quote: char, kind: Kind, message: &str) -> Result<(), Stop> {
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                // Whatever follows a backslash is skipped, a line break excepted.
                '\\' if chars.next().is_none_or(|(_, c)| c == '\n') => break,
                '\n' => break,
                c if c == quote => {
                    self.pos += at + 1;
                    self.emit(kind);
                    return Ok(());
                }
                _ => {}
            }
        }
        self.fail(message)
    }

    /// Whether a word may end here.
    fn at_terminator(&self) -> bool {
        match self.rest().chars().next() {
            None => true,
            Some(c) => is_space(c) || matches!(c, '.' | ',' | '|' | ':' | ')' | '(') || self.rest().starts_with("}}"),
        }
    }

    fn take_word(&mut self) -> Result<(), Stop> {
        let rest = self.rest();
        self.pos += rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if !self.at_terminator() {
            let bad = show(self.rest().chars().next());
            return self.fail(format!("bad character {bad}"));
        }
        Ok(())
    }

    fn field_or_variable(&mut self, kind: Kind) -> Result<(), Stop> {
        self.pos += 1;
        if self.at_terminator() {
            self.emit(if kind == Kind::Field { Kind::Dot } else { kind });
            return Ok(());
        }
        self.take_word()?;
        self.emit(kind);
        Ok(())
    }

    fn identifier(&mut self) -> Result<(), Stop> {
        self.take_word()?;
        let kind = match &self.text[self.start..self.pos] {
            "true" | "false" => Kind::Bool,
            "nil" => Kind::Nil,
            word if KEYWORDS.contains(&word) => Kind::Keyword,
            _ => Kind::Function,
        };
        self.emit(kind);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Stop> {
        let rest = self.rest();
        let mut at = usize::from(rest.starts_with(['+', '-']));
        let take = |at: &mut usize, set: &str| {
            *at += rest[*at..].find(|c| !set.contains(c)).unwrap_or(rest.len() - *at);
        };
        let lower = rest[at..].get(..2).map(str::to_ascii_lowercase).unwrap_or_default();
        let digits = match lower.as_str() {
            "0x" => "0123456789abcdefABCDEF_",
            "0o" => "01234567_",
            "0b" => "01_",
            _ => "0123456789_",
        };
        let prefixed = digits != "0123456789_";
        if prefixed {
            at += 2;
        }
        take(&mut at, digits);
        if rest[at..].starts_with('.') {
            at += 1;
            take(&mut at, digits);
        }
        let exponent: &[char] = if prefixed { &['p', 'P'] } else { &['e', 'E'] };
        if rest[at..].starts_with(exponent) {
            at += 1;
            at += usize::from(rest[at..].starts_with(['+', '-']));
            take(&mut at, "0123456789_");
        }
        self.pos += at;
        let next = self.rest().chars().next();
        if let Some(c) = next.filter(|c| is_word(*c) || matches!(c, '+' | '-')) {
            self.pos += c.len_utf8();
            let shown = go::quote(&self.text[self.start..self.pos]);
            return self.fail(format!("bad number syntax: {shown}"));
        }
        self.emit(Kind::Number);
        Ok(())
    }
}

/// Whether a left delimiter trims what stands before it: `{{- `.
fn has_left_trim(after: &str) -> bool {
    let mut chars = after.chars();
    chars.next() == Some('-') && chars.next().is_some_and(is_space)
}
