//! From tokens to events: the grammar of YAML 1.1 as a state machine, with the reference's errors.

use std::borrow::Cow;

use super::error::Error;
use super::input::Fault;
use super::scanner::{Mark, Result, Scanner, Tag, TagDirective, Token, TokenKind};

/// What happens in a document.
#[derive(Debug)]
pub(super) enum Event<'a> {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias(&'a str),
    Scalar(Scalar<'a>),
    SequenceStart { anchor: Option<&'a str> },
    SequenceEnd,
    MappingStart { anchor: Option<&'a str> },
    MappingEnd,
}

/// A scalar and what is known of its type.
#[derive(Debug)]
pub(super) struct Scalar<'a> {
    pub(super) anchor: Option<&'a str>,
    /// The full tag, empty if there is none.
    pub(super) tag: Cow<'static, str>,
    pub(super) value: Cow<'a, str>,
    /// Whether the text decides the type: plain and without a tag, or with the tag `!`.
    pub(super) implicit: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceEntry { first: bool },
    IndentlessSequenceEntry,
    BlockMappingKey { first: bool },
    BlockMappingValue,
    FlowSequenceEntry { first: bool },
    FlowSequencePairKey,
    FlowSequencePairValue,
    FlowSequencePairEnd,
    FlowMappingKey { first: bool },
    FlowMappingValue { empty: bool },
    End,
}

/// What kind of node may come.
#[derive(Clone, Copy, PartialEq)]
enum Context {
    Block,
    BlockOrIndentless,
    Flow,
}

/// The parser; each call of [`Parser::next`] gives an event with its start.
pub(super) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    states: Vec<State>,
    tag_directives: Vec<(String, String)>,
    /// Where the collections begin that are not complete yet.
    begins: Vec<Mark>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, fault: Option<Fault>) -> Parser<'a> {
        Parser {
            scanner: Scanner::new(text, fault),
            state: State::ImplicitDocumentStart,
            states: Vec::new(),
            tag_directives: Vec::new(),
            begins: Vec::new(),
        }
    }

    /// The next event and where it starts.
    pub(super) fn next(&mut self) -> Result<(Event<'a>, Mark)> {
        match self.state {
            State::ImplicitDocumentStart => self.document_start(true),
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(Context::Block),
            State::BlockSequenceEntry { first } => self.block_sequence_entry(first),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingKey { first } => self.block_mapping_key(first),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceEntry { first } => self.flow_sequence_entry(first),
            State::FlowSequencePairKey => self.flow_pair_key(),
            State::FlowSequencePairValue => self.flow_pair_value(),
            State::FlowSequencePairEnd => self.flow_pair_end(),
            State::FlowMappingKey { first } => self.flow_mapping_key(first),
            State::FlowMappingValue { empty } => self.flow_mapping_value(empty),
            State::End => Ok((Event::StreamEnd, self.scanner.mark)),
        }
    }

    /// A parser's error at `mark`; the reference names the line before, and none in the first.
    fn error<T>(problem: &str, mark: Mark) -> Result<T> {
        Err(Error::Syntax { problem: problem.to_owned(), line: mark.line, begin: mark.line, at: mark.into() })
    }

    /// The same within the innermost collection.
    fn error_within<T>(&self, problem: &str, mark: Mark) -> Result<T> {
        let begin = self.begins.last().map(|begin| begin.line).filter(|line| *line > 0).unwrap_or(mark.line);
        Err(Error::Syntax { problem: problem.to_owned(), line: mark.line, begin, at: mark.into() })
    }

    fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    /// A node comes, then `after`.
    fn node_then(&mut self, after: State, context: Context) -> Result<(Event<'a>, Mark)> {
        self.states.push(after);
        self.node(context)
    }

    /// A missing node is an empty scalar.
    fn empty_then(&mut self, after: State, mark: Mark) -> Result<(Event<'a>, Mark)> {
        self.state = after;
        Ok((empty_scalar(), mark))
    }

    fn document_start(&mut self, implicit: bool) -> Result<(Event<'a>, Mark)> {
        while !implicit && matches!(self.scanner.peek()?.kind, TokenKind::DocumentEnd) {
            self.scanner.take()?;
        }
        let token = self.scanner.peek()?;
        let mark = token.start;
        match token.kind {
            TokenKind::StreamEnd => {
                self.state = State::End;
                return Ok((Event::StreamEnd, mark));
            }
            TokenKind::Version { .. } | TokenKind::TagDirective(_) | TokenKind::DocumentStart => {}
            _ if implicit => {
                self.directives()?;
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                return Ok((Event::DocumentStart, mark));
            }
            _ => {}
        }
        self.directives()?;
        let token = self.scanner.peek()?;
        if !matches!(token.kind, TokenKind::DocumentStart) {
            return Self::error("did not find expected <document start>", token.start);
        }
        self.scanner.take()?;
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        Ok((Event::DocumentStart, mark))
    }

    fn directives(&mut self) -> Result<()> {
        let mut version_seen = false;
        while matches!(self.scanner.peek()?.kind, TokenKind::Version { .. } | TokenKind::TagDirective(_)) {
            let Token { kind, start, .. } = self.scanner.take()?;
            match kind {
                TokenKind::Version { .. } if version_seen => {
                    return Self::error("found duplicate %YAML directive", start);
                }
                TokenKind::Version { major: 1, minor: 1 } => version_seen = true,
                TokenKind::Version { .. } => return Self::error("found incompatible YAML document", start),
                TokenKind::TagDirective(directive) => {
                    let TagDirective { handle, prefix } = *directive;
                    if self.tag_directives.iter().any(|(known, _)| *known == handle) {
                        return Self::error("found duplicate %TAG directive", start);
                    }
                    self.tag_directives.push((handle, prefix));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn document_content(&mut self) -> Result<(Event<'a>, Mark)> {
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::Version { .. }
            | TokenKind::TagDirective(_)
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => {
                let mark = token.start;
                self.pop_state();
                Ok((empty_scalar(), mark))
            }
            _ => self.node(Context::Block),
        }
    }

    fn document_end(&mut self) -> Result<(Event<'a>, Mark)> {
        let token = self.scanner.peek()?;
        let mark = token.start;
        if matches!(token.kind, TokenKind::DocumentEnd) {
            self.scanner.take()?;
        }
        self.tag_directives.clear();
        self.state = State::DocumentStart;
        Ok((Event::DocumentEnd, mark))
    }

    fn node(&mut self, context: Context) -> Result<(Event<'a>, Mark)> {
        if let TokenKind::Alias(name) = self.scanner.peek()?.kind {
            let token = self.scanner.take()?;
            self.pop_state();
            return Ok((Event::Alias(name), token.start));
        }
        let start = self.scanner.peek()?.start;
        let (anchor, tag) = self.properties()?;
        let tag = match tag {
            Some((tag, mark)) => self.resolve_tag(*tag, mark)?,
            None => Cow::Borrowed(""),
        };
        let in_block = context != Context::Flow;
        let token = self.scanner.peek()?;
        let here = token.start;
        let event = match token.kind {
            TokenKind::BlockEntry if context == Context::BlockOrIndentless => {
                self.state = State::IndentlessSequenceEntry;
                Event::SequenceStart { anchor }
            }
            TokenKind::Scalar { .. } => return self.scalar(anchor, tag, start),
            TokenKind::FlowSequenceStart => {
                self.state = State::FlowSequenceEntry { first: true };
                Event::SequenceStart { anchor }
            }
            TokenKind::FlowMappingStart => {
                self.state = State::FlowMappingKey { first: true };
                Event::MappingStart { anchor }
            }
            TokenKind::BlockSequenceStart if in_block => {
                self.state = State::BlockSequenceEntry { first: true };
                Event::SequenceStart { anchor }
            }
            TokenKind::BlockMappingStart if in_block => {
                self.state = State::BlockMappingKey { first: true };
                Event::MappingStart { anchor }
            }
            _ if anchor.is_some() || !tag.is_empty() => {
                self.pop_state();
                let implicit = tag.is_empty();
                Event::Scalar(Scalar { anchor, tag, value: Cow::Borrowed(""), implicit })
            }
            _ => return Self::error("did not find expected node content", here),
        };
        Ok((event, start))
    }

    /// An anchor and a tag, in any order.
    #[allow(clippy::type_complexity, reason = "the pair is taken apart at once")]
    fn properties(&mut self) -> Result<(Option<&'a str>, Option<(Box<Tag>, Mark)>)> {
        let (mut anchor, mut tag) = (None, None);
        loop {
            match &self.scanner.peek()?.kind {
                TokenKind::Anchor(name) if anchor.is_none() => {
                    anchor = Some(*name);
                    self.scanner.take()?;
                }
                TokenKind::Tag(_) if tag.is_none() => {
                    let token = self.scanner.take()?;
                    if let TokenKind::Tag(found) = token.kind {
                        tag = Some((found, token.start));
                    }
                }
                _ => return Ok((anchor, tag)),
            }
        }
    }

    fn resolve_tag(&self, tag: Tag, mark: Mark) -> Result<Cow<'static, str>> {
        if tag.handle.is_empty() {
            return Ok(Cow::Owned(tag.suffix));
        }
        let known = self.tag_directives.iter().find(|(handle, _)| *handle == tag.handle);
        let prefix = match (known, tag.handle.as_str()) {
            (Some((_, prefix)), _) => prefix.as_str(),
            (None, "!") => "!",
            (None, "!!") => "tag:yaml.org,2002:",
            (None, _) => return Self::error("found undefined tag handle", mark),
        };
        Ok(Cow::Owned(format!("{prefix}{}", tag.suffix)))
    }

    fn scalar(&mut self, anchor: Option<&'a str>, tag: Cow<'static, str>, start: Mark) -> Result<(Event<'a>, Mark)> {
        let token = self.scanner.take()?;
        self.pop_state();
        let (value, plain) = match token.kind {
            TokenKind::Scalar { value, plain } => (value, plain),
            _ => (Cow::Borrowed(""), true),
        };
        let implicit = (tag.is_empty() && plain) || tag == "!";
        Ok((Event::Scalar(Scalar { anchor, tag, value, implicit }), start))
    }

    fn block_sequence_entry(&mut self, first: bool) -> Result<(Event<'a>, Mark)> {
        if first {
            let begin = self.scanner.take()?.start;
            self.begins.push(begin);
        }
        let again = State::BlockSequenceEntry { first: false };
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::BlockEntry => {
                let mark = self.scanner.take()?.end;
                match self.scanner.peek()?.kind {
                    TokenKind::BlockEntry | TokenKind::BlockEnd => self.empty_then(again, mark),
                    _ => self.node_then(again, Context::Block),
                }
            }
            TokenKind::BlockEnd => {
                let mark = self.scanner.take()?.start;
                self.begins.pop();
                self.pop_state();
                Ok((Event::SequenceEnd, mark))
            }
            _ => {
                let mark = token.start;
                self.error_within("did not find expected '-' indicator", mark)
            }
        }
    }

    fn indentless_sequence_entry(&mut self) -> Result<(Event<'a>, Mark)> {
        let token = self.scanner.peek()?;
        let mark = token.start;
        if !matches!(token.kind, TokenKind::BlockEntry) {
            self.pop_state();
            return Ok((Event::SequenceEnd, mark));
        }
        let end = self.scanner.take()?.end;
        match self.scanner.peek()?.kind {
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                self.empty_then(State::IndentlessSequenceEntry, end)
            }
            _ => self.node_then(State::IndentlessSequenceEntry, Context::Block),
        }
    }

    fn block_mapping_key(&mut self, first: bool) -> Result<(Event<'a>, Mark)> {
        if first {
            let begin = self.scanner.take()?.start;
            self.begins.push(begin);
        }
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::Key => {
                let mark = self.scanner.take()?.end;
                match self.scanner.peek()?.kind {
                    TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                        self.empty_then(State::BlockMappingValue, mark)
                    }
                    _ => self.node_then(State::BlockMappingValue, Context::BlockOrIndentless),
                }
            }
            TokenKind::BlockEnd => {
                let mark = self.scanner.take()?.start;
                self.begins.pop();
                self.pop_state();
                Ok((Event::MappingEnd, mark))
            }
            _ => {
                let mark = token.start;
                self.error_within("did not find expected key", mark)
            }
        }
    }

    fn block_mapping_value(&mut self) -> Result<(Event<'a>, Mark)> {
        let again = State::BlockMappingKey { first: false };
        let token = self.scanner.peek()?;
        let mark = token.start;
        if !matches!(token.kind, TokenKind::Value) {
            return self.empty_then(again, mark);
        }
        let end = self.scanner.take()?.end;
        match self.scanner.peek()?.kind {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => self.empty_then(again, end),
            _ => self.node_then(again, Context::BlockOrIndentless),
        }
    }

    fn flow_sequence_entry(&mut self, first: bool) -> Result<(Event<'a>, Mark)> {
        if first {
            let begin = self.scanner.take()?.start;
            self.begins.push(begin);
        } else {
            let token = self.scanner.peek()?;
            match token.kind {
                TokenKind::FlowSequenceEnd => {}
                TokenKind::FlowEntry => {
                    self.scanner.take()?;
                }
                _ => {
                    let mark = token.start;
                    return self.error_within("did not find expected ',' or ']'", mark);
                }
            }
        }
        let token = self.scanner.peek()?;
        let mark = token.start;
        match token.kind {
            TokenKind::FlowSequenceEnd => {
                self.scanner.take()?;
                self.begins.pop();
                self.pop_state();
                Ok((Event::SequenceEnd, mark))
            }
            TokenKind::Key => {
                self.scanner.take()?;
                self.state = State::FlowSequencePairKey;
                Ok((Event::MappingStart { anchor: None }, mark))
            }
            _ => self.node_then(State::FlowSequenceEntry { first: false }, Context::Flow),
        }
    }

    fn flow_pair_key(&mut self) -> Result<(Event<'a>, Mark)> {
        match self.scanner.peek()?.kind {
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => {
                // The reference takes the token here, and so loses the value of a pair without a key.
                let mark = self.scanner.take()?.end;
                self.empty_then(State::FlowSequencePairValue, mark)
            }
            _ => self.node_then(State::FlowSequencePairValue, Context::Flow),
        }
    }

    fn flow_pair_value(&mut self) -> Result<(Event<'a>, Mark)> {
        let token = self.scanner.peek()?;
        let mark = token.start;
        if matches!(token.kind, TokenKind::Value) {
            self.scanner.take()?;
            if !matches!(self.scanner.peek()?.kind, TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
                return self.node_then(State::FlowSequencePairEnd, Context::Flow);
            }
        }
        self.empty_then(State::FlowSequencePairEnd, mark)
    }

    fn flow_pair_end(&mut self) -> Result<(Event<'a>, Mark)> {
        let mark = self.scanner.peek()?.start;
        self.state = State::FlowSequenceEntry { first: false };
        Ok((Event::MappingEnd, mark))
    }

    fn flow_mapping_key(&mut self, first: bool) -> Result<(Event<'a>, Mark)> {
        if first {
            let begin = self.scanner.take()?.start;
            self.begins.push(begin);
        } else {
            let token = self.scanner.peek()?;
            match token.kind {
                TokenKind::FlowMappingEnd => {}
                TokenKind::FlowEntry => {
                    self.scanner.take()?;
                }
                _ => {
                    let mark = token.start;
                    return self.error_within("did not find expected ',' or '}'", mark);
                }
            }
        }
        let token = self.scanner.peek()?;
        let mark = token.start;
        match token.kind {
            TokenKind::FlowMappingEnd => {
                self.scanner.take()?;
                self.begins.pop();
                self.pop_state();
                Ok((Event::MappingEnd, mark))
            }
            TokenKind::Key => {
                self.scanner.take()?;
                let token = self.scanner.peek()?;
                let mark = token.start;
                match token.kind {
                    TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd => {
                        self.empty_then(State::FlowMappingValue { empty: false }, mark)
                    }
                    _ => self.node_then(State::FlowMappingValue { empty: false }, Context::Flow),
                }
            }
            _ => self.node_then(State::FlowMappingValue { empty: true }, Context::Flow),
        }
    }

    fn flow_mapping_value(&mut self, empty: bool) -> Result<(Event<'a>, Mark)> {
        let again = State::FlowMappingKey { first: false };
        let token = self.scanner.peek()?;
        let mark = token.start;
        if empty || !matches!(token.kind, TokenKind::Value) {
            return self.empty_then(again, mark);
        }
        self.scanner.take()?;
        let token = self.scanner.peek()?;
        let mark = token.start;
        match token.kind {
            TokenKind::FlowEntry | TokenKind::FlowMappingEnd => self.empty_then(again, mark),
            _ => self.node_then(again, Context::Flow),
        }
    }
}

fn empty_scalar<'a>() -> Event<'a> {
    Event::Scalar(Scalar { anchor: None, tag: Cow::Borrowed(""), value: Cow::Borrowed(""), implicit: true })
}
