//! A line of shell taken apart: words, quotes, variables, pipes, `&&`, `||`, `;` and redirections.

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text as it stands.
    Text(String),
    /// A variable.
    Variable {
        /// Its name; `?` is the last exit code.
        name: String,
        /// What stands for it when it is unset or empty (`${NAME:-TEXT}`).
        fallback: String,
        /// Whether spaces in its value part no words.
        quoted: bool,
    },
}

/// A word before its variables are replaced.
pub type Word = Vec<Part>;

/// Where a command's input comes from or its output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// `< FILE`
    From(Word),
    /// `> FILE` or `>> FILE` of a stream, 1 or 2.
    To {
        /// The stream.
        stream: u8,
        /// The file.
        file: Word,
        /// Whether what the file holds is kept.
        append: bool,
    },
    /// `2>&1` or `1>&2`: the first stream goes where the second does.
    Same(u8, u8),
}

/// One command with its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Words; the first is the command, after assignments.
    pub words: Vec<Word>,
    /// Redirections in order.
    pub redirects: Vec<Redirect>,
}

/// When a pipeline runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In any case.
    Always,
    /// After a success.
    Success,
    /// After a failure.
    Failure,
}

/// Commands of which each reads what the one before writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// When it runs.
    pub when: When,
    /// Its commands.
    pub calls: Vec<Call>,
}

/// Why a line is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// A quote that does not end.
    #[error("syntax error: unterminated quoted string")]
    Quote,
    /// Something that should not be where it is.
    #[error("syntax error: unexpected {0:?}")]
    Unexpected(String),
    /// Something that a real shell would understand.
    #[error("{0}: the shell of a simulated container does not know this")]
    Unknown(String),
}

/// Words that begin what is not played here.
const COMPOUND: [&str; 8] = ["for", "while", "until", "if", "case", "function", "{", "("];

enum Token {
    Word(Word),
    Operator(&'static str),
    /// An operator that redirects a stream.
    Redirect(u8, &'static str),
}

struct Lexer<'a> {
    letters: std::iter::Peekable<std::str::Chars<'a>>,
}

/// Takes a text apart.
///
/// # Errors
/// It is no shell, or more of it than is played here.
pub fn parse(text: &str) -> Result<Vec<Pipeline>, SyntaxError> {
    let mut lexer = Lexer { letters: text.chars().peekable() };
    let (mut pipelines, mut calls, mut call) = (Vec::new(), Vec::new(), Call::default());
    let mut when = When::Always;
    loop {
        let token = lexer.next()?;
        match token {
            Some(Token::Word(word)) => call.words.push(word),
            Some(Token::Redirect(stream, operator)) => call.redirects.push(lexer.redirect(stream, operator)?),
            Some(Token::Operator("|")) => calls.push(finished(&mut call, "|")?),
            Some(Token::Operator(operator @ ("&&" | "||"))) => {
                calls.push(finished(&mut call, operator)?);
                pipelines.push(Pipeline { when, calls: std::mem::take(&mut calls) });
                when = if operator == "&&" { When::Success } else { When::Failure };
            }
            Some(Token::Operator("&")) => return Err(SyntaxError::Unknown("&".into())),
            Some(Token::Operator(_)) | None => {
                if call != Call::default() || !calls.is_empty() {
                    calls.push(finished(&mut call, ";")?);
                    pipelines.push(Pipeline { when, calls: std::mem::take(&mut calls) });
                } else if when != When::Always {
                    return Err(SyntaxError::Unexpected(";".into()));
                }
                when = When::Always;
                if token.is_none() {
                    return Ok(pipelines);
                }
            }
        }
    }
}

fn finished(call: &mut Call, before: &str) -> Result<Call, SyntaxError> {
    let call = std::mem::take(call);
    match call.words.first().map(Vec::as_slice) {
        None if call.redirects.is_empty() => Err(SyntaxError::Unexpected(before.into())),
        Some([Part::Text(word)]) if COMPOUND.contains(&word.as_str()) => Err(SyntaxError::Unknown(word.clone())),
        _ => Ok(call),
    }
}

impl Lexer<'_> {
    fn eat(&mut self, letter: char) -> bool {
        self.letters.next_if_eq(&letter).is_some()
    }

    fn next(&mut self) -> Result<Option<Token>, SyntaxError> {
        while self.letters.next_if(|letter| matches!(letter, ' ' | '\t' | '\r')).is_some() {}
        let Some(letter) = self.letters.peek().copied() else { return Ok(None) };
        let token = match letter {
            '#' => {
                while self.letters.next_if(|letter| *letter != '\n').is_some() {}
                return self.next();
            }
            '\n' | ';' | '|' | '&' | '<' | '>' => {
                self.letters.next();
                self.operator(letter)
            }
            '(' | ')' => return Err(SyntaxError::Unknown(letter.into())),
            _ => return self.word(),
        };
        Ok(Some(token))
    }

    fn operator(&mut self, letter: char) -> Token {
        match letter {
            '|' if self.eat('|') => Token::Operator("||"),
            '|' => Token::Operator("|"),
            '&' if self.eat('&') => Token::Operator("&&"),
            '&' => Token::Operator("&"),
            '<' => Token::Redirect(0, "<"),
            '>' => self.out(1),
            _ => Token::Operator(";"),
        }
    }

    fn out(&mut self, stream: u8) -> Token {
        if self.eat('>') {
            Token::Redirect(stream, ">>")
        } else if self.eat('&') {
            Token::Redirect(stream, ">&")
        } else {
            Token::Redirect(stream, ">")
        }
    }

    fn redirect(&mut self, stream: u8, operator: &'static str) -> Result<Redirect, SyntaxError> {
        let Some(Token::Word(word)) = self.next()? else { return Err(SyntaxError::Unexpected("newline".into())) };
        Ok(match operator {
            "<" => Redirect::From(word),
            ">&" => match word.as_slice() {
                [Part::Text(text)] if text == "1" || text == "2" => {
                    Redirect::Same(stream, if text == "1" { 1 } else { 2 })
                }
                _ => return Err(SyntaxError::Unexpected(">&".into())),
            },
            operator => Redirect::To { stream, file: word, append: operator == ">>" },
        })
    }

    fn word(&mut self) -> Result<Option<Token>, SyntaxError> {
        let (mut parts, mut text, mut quoted) = (Vec::new(), String::new(), false);
        while let Some(letter) = self.letters.peek().copied() {
            match letter {
                ' ' | '\t' | '\r' | '\n' | ';' | '|' | '&' | '<' | '(' | ')' => break,
                '>' if parts.is_empty() && matches!(text.as_str(), "1" | "2") && !quoted => {
                    self.letters.next();
                    return Ok(Some(self.out(if text == "1" { 1 } else { 2 })));
                }
                '>' => break,
                '\'' => {
                    self.letters.next();
                    quoted = true;
                    loop {
                        match self.letters.next().ok_or(SyntaxError::Quote)? {
                            '\'' => break,
                            letter => text.push(letter),
                        }
                    }
                }
                '"' => {
                    self.letters.next();
                    quoted = true;
                    self.double_quoted(&mut parts, &mut text)?;
                }
                '\\' => {
                    self.letters.next();
                    text.extend(self.letters.next().filter(|letter| *letter != '\n'));
                }
                '$' => {
                    self.letters.next();
                    self.variable(false, &mut parts, &mut text)?;
                }
                '`' => return Err(SyntaxError::Unknown("`".into())),
                letter => {
                    self.letters.next();
                    text.push(letter);
                }
            }
        }
        if !text.is_empty() || quoted && parts.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Some(Token::Word(parts)))
    }

    fn double_quoted(&mut self, parts: &mut Word, text: &mut String) -> Result<(), SyntaxError> {
        loop {
            match self.letters.next().ok_or(SyntaxError::Quote)? {
                '"' => return Ok(()),
                '$' => self.variable(true, parts, text)?,
                '`' => return Err(SyntaxError::Unknown("`".into())),
                '\\' => match self.letters.next().ok_or(SyntaxError::Quote)? {
                    '\n' => {}
                    letter @ ('"' | '\\' | '$' | '`') => text.push(letter),
                    letter => text.extend(['\\', letter]),
                },
                letter => text.push(letter),
            }
        }
    }

    /// What follows a dollar sign.
    fn variable(&mut self, quoted: bool, parts: &mut Word, text: &mut String) -> Result<(), SyntaxError> {
        let mut fallback = String::new();
        let mut name = String::new();
        if self.eat('{') {
            let mut inner = String::new();
            loop {
                match self.letters.next().ok_or(SyntaxError::Quote)? {
                    '}' => break,
                    letter => inner.push(letter),
                }
            }
            (name, fallback) = match inner.split_once(":-") {
                Some((name, fallback)) => (name.to_owned(), fallback.to_owned()),
                None => (inner, fallback),
            };
            if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
                return Err(SyntaxError::Unknown(format!("${{{name}}}")));
            }
        } else if self.letters.peek() == Some(&'(') {
            return Err(SyntaxError::Unknown("$(".into()));
        } else if self.eat('?') {
            name.push('?');
        } else {
            while let Some(letter) = self.letters.next_if(|letter| letter.is_ascii_alphanumeric() || *letter == '_') {
                name.push(letter);
            }
        }
        if name.is_empty() {
            text.push('$');
            return Ok(());
        }
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(text)));
        }
        parts.push(Part::Variable { name, fallback, quoted });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Word {
        vec![Part::Text(text.into())]
    }

    #[test]
    fn lines_are_taken_apart() {
        let pipelines = parse("echo 'a b' \"c\\\"d\" e\\ f | wc -l && true; false").expect("shell");
        let calls: Vec<Vec<usize>> =
            pipelines.iter().map(|line| line.calls.iter().map(|call| call.words.len()).collect()).collect();
        assert_eq!(calls, [vec![4, 2], vec![1], vec![1]]);
        assert_eq!(pipelines[0].calls[0].words[1..], [text("a b"), text("c\"d"), text("e f")]);
        assert_eq!(
            pipelines.iter().map(|line| line.when).collect::<Vec<_>>(),
            [When::Always, When::Success, When::Always]
        );
    }

    #[test]
    fn variables_and_redirections() {
        let pipelines = parse("echo x$HOME/${A:-b} \"$?\" >> f 2>&1 2>/dev/null <in # rest").expect("shell");
        let call = &pipelines[0].calls[0];
        let variable = |name: &str, fallback: &str, quoted| Part::Variable {
            name: name.into(),
            fallback: fallback.into(),
            quoted,
        };
        let word = vec![
            Part::Text("x".into()),
            variable("HOME", "", false),
            Part::Text("/".into()),
            variable("A", "b", false),
        ];
        assert_eq!(call.words, [text("echo"), word, vec![variable("?", "", true)]]);
        assert_eq!(
            call.redirects,
            [
                Redirect::To { stream: 1, file: text("f"), append: true },
                Redirect::Same(2, 1),
                Redirect::To { stream: 2, file: text("/dev/null"), append: false },
                Redirect::From(text("in")),
            ]
        );
    }

    #[test]
    fn what_is_not_played_is_named() {
        assert_eq!(parse("for a in b; do c; done"), Err(SyntaxError::Unknown("for".into())));
        assert_eq!(parse("echo $(date)"), Err(SyntaxError::Unknown("$(".into())));
        assert_eq!(parse("echo 'a"), Err(SyntaxError::Quote));
        assert_eq!(parse("a && ; b"), Err(SyntaxError::Unexpected(";".into())));
        assert_eq!(parse("| a"), Err(SyntaxError::Unexpected("|".into())));
        assert_eq!(parse(" # nothing"), Ok(vec![]));
    }
}
