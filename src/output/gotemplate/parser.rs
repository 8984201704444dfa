//! Builds nodes from tokens.

use std::collections::BTreeMap;

use super::TemplateError;
use super::ast::{Command, Control, Node, Number, Operand, Pipe};
use super::funcs;
use super::lexer::{Kind, Token, scan};
use crate::object::go;
use crate::output::jsonpath::unquote;

/// Name of the template that is not defined inside of another one.
pub(super) const NAME: &str = "output";
/// Deepest nesting of parentheses and control structures.
const MAX_DEPTH: usize = 100;

/// The templates by name.
pub(super) type Templates = BTreeMap<String, Vec<Node>>;

/// Reads a template and those that it defines.
pub(super) fn parse(text: &str) -> Result<Templates, TemplateError> {
    let mut parser = Parser {
        tokens: scan(text),
        at: 0,
        line: 1,
        variables: vec!["$".to_owned()],
        range_depth: 0,
        depth: 0,
        action_line: None,
        templates: Templates::new(),
    };
    let root = parser.root()?;
    parser.add(NAME, root)?;
    Ok(parser.templates)
}

/// What ends a list of nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    End,
    Else,
}

impl Ending {
    fn show(self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

enum Item {
    Node(Node),
    Ending(Ending),
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// Line of the token read last, for messages.
    line: usize,
    variables: Vec<String>,
    range_depth: usize,
    depth: usize,
    action_line: Option<usize>,
    templates: Templates,
}

type Result<T, E = TemplateError> = std::result::Result<T, E>;

/// Whether nodes print nothing but space.
fn is_blank(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}

impl Parser {
    fn fail<T>(&self, message: impl AsRef<str>) -> Result<T> {
        Err(TemplateError(format!("template: {NAME}:{}: {}", self.line, message.as_ref())))
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Result<T> {
        if token.kind != Kind::Error {
            return self.fail(format!("unexpected {} in {context}", token.show()));
        }
        let started = self.action_line.filter(|line| *line != token.line);
        let extra = started.map(|line| match token.text.ends_with(" action") {
            true => format!(" started at {NAME}:{line}"),
            false => format!(" in action started at {NAME}:{line}"),
        });
        self.fail(format!("{}{}", token.text, extra.unwrap_or_default()))
    }

    /// The next token without taking it. The last one, an end or an error, is never passed.
    fn peek(&mut self) -> Token {
        let last = self.tokens.len().saturating_sub(1);
        let token = self.tokens.get(self.at.min(last)).cloned();
        let token = token.unwrap_or(Token { kind: Kind::End, pos: 0, line: 1, text: String::new() });
        self.line = self.line.max(token.line);
        token
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.at += 1;
        }
    }

    fn peek_non_space(&mut self) -> Token {
        self.skip_space();
        self.peek()
    }

    fn next_non_space(&mut self) -> Token {
        self.skip_space();
        self.next()
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    fn add(&mut self, name: &str, nodes: Vec<Node>) -> Result<()> {
        match self.templates.get(name) {
            Some(known) if !is_blank(known) && !is_blank(&nodes) => {
                self.fail(format!("template: multiple definition of template {}", go::quote(name)))
            }
            Some(known) if !is_blank(known) => Ok(()),
            _ => {
                self.templates.insert(name.to_owned(), nodes);
                Ok(())
            }
        }
    }

    fn root(&mut self) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        while self.peek().kind != Kind::End {
            let start = self.at;
            if self.next().kind == Kind::LeftDelimiter && self.next_non_space().is_keyword("define") {
                self.definition()?;
                continue;
            }
            self.at = start;
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(ending) => return self.fail(format!("unexpected {}", ending.show())),
            }
        }
        Ok(nodes)
    }

    /// Parses nodes that see only the variables of a template of their own.
    fn own_template(&mut self, name: &str, context: &str) -> Result<()> {
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let depth = std::mem::take(&mut self.range_depth);
        let (nodes, ending) = self.list()?;
        if ending != Ending::End {
            return self.fail(format!("unexpected {} in {context}", ending.show()));
        }
        self.variables = outer;
        self.range_depth = depth;
        self.add(name, nodes)
    }

    fn definition(&mut self) -> Result<()> {
        let context = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        self.expect(Kind::RightDelimiter, context)?;
        self.own_template(&name, context)
    }

    fn template_name(&self, token: &Token, context: &str) -> Result<String> {
        match token.kind {
            Kind::Quoted | Kind::RawText => self.unquote(&token.text),
            _ => self.unexpected(token, context),
        }
    }

    /// Takes the quotes off a text.
    fn unquote(&self, quoted: &str) -> Result<String> {
        let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        if quoted.starts_with('`') {
            return Ok(inner.replace('\r', ""));
        }
        match unquote(inner, '"') {
            Some(text) => Ok(text),
            None => self.fail("invalid syntax"),
        }
    }

    /// Nodes up to the next `end` or `else`.
    fn list(&mut self) -> Result<(Vec<Node>, Ending)> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("max expression depth exceeded");
        }
        let mut nodes = Vec::new();
        while self.peek_non_space().kind != Kind::End {
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(ending) => {
                    self.depth -= 1;
                    return Ok((nodes, ending));
                }
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.text))),
            Kind::LeftDelimiter => {
                self.action_line = Some(token.line);
                let item = self.action();
                self.action_line = None;
                item
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Result<Item> {
        let start = self.at;
        let token = self.next_non_space();
        let node = match (token.kind, token.text.as_str()) {
            (Kind::Keyword, "block") => self.block()?,
            (Kind::Keyword, "break") => self.leave_range("{{break}}", Node::Break)?,
            (Kind::Keyword, "continue") => self.leave_range("{{continue}}", Node::Continue)?,
            (Kind::Keyword, "else") => {
                let next = self.peek_non_space();
                if !next.is_keyword("if") && !next.is_keyword("with") {
                    self.expect(Kind::RightDelimiter, "else")?;
                }
                return Ok(Item::Ending(Ending::Else));
            }
            (Kind::Keyword, "end") => {
                self.expect(Kind::RightDelimiter, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            (Kind::Keyword, "if") => self.control(Control::If)?,
            (Kind::Keyword, "range") => self.control(Control::Range)?,
            (Kind::Keyword, "with") => self.control(Control::With)?,
            (Kind::Keyword, "template") => self.template()?,
            _ => {
                self.at = start;
                Node::Action(self.pipeline("command", Kind::RightDelimiter)?)
            }
        };
        Ok(Item::Node(node))
    }

    fn leave_range(&mut self, word: &str, node: Node) -> Result<Node> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelimiter {
            return self.unexpected(&token, word);
        }
        if self.range_depth == 0 { self.fail(format!("{word} outside {{{{range}}}}")) } else { Ok(node) }
    }

    fn block(&mut self) -> Result<Node> {
        let context = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        let pipe = self.pipeline(context, Kind::RightDelimiter)?;
        self.own_template(&name, context)?;
        Ok(Node::Template { pos: token.pos, name, pipe: Some(pipe) })
    }

    fn template(&mut self) -> Result<Node> {
        let context = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        let pipe = if self.peek_non_space().kind == Kind::RightDelimiter {
            self.next();
            None
        } else {
            Some(self.pipeline(context, Kind::RightDelimiter)?)
        };
        Ok(Node::Template { pos: token.pos, name, pipe })
    }

    fn control(&mut self, control: Control) -> Result<Node> {
        let variables = self.variables.len();
        let (context, chained) = match control {
            Control::If => ("if", Some("if")),
            Control::With => ("with", Some("with")),
            Control::Range => ("range", None),
        };
        let pipe = self.pipeline(context, Kind::RightDelimiter)?;
        let in_range = usize::from(control == Control::Range);
        self.range_depth += in_range;
        let (body, ending) = self.list()?;
        self.range_depth -= in_range;
        let mut otherwise = None;
        if ending == Ending::Else {
            // `else if` is an `if` inside of the `else`, and both share one `end`.
            let next = self.peek();
            if chained.is_some_and(|word| next.is_keyword(word)) {
                self.next();
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return self.fail("max expression depth exceeded");
                }
                otherwise = Some(vec![self.control(control)?]);
                self.depth -= 1;
            } else {
                let (nodes, ending) = self.list()?;
                if ending != Ending::End {
                    return self.fail(format!("expected end; found {}", ending.show()));
                }
                otherwise = Some(nodes);
            }
        }
        self.variables.truncate(variables);
        Ok(Node::Branch { control, pipe, body, otherwise })
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe> {
        let pos = self.peek_non_space().pos;
        let mut pipe = Pipe { pos, variables: Vec::new(), assign: false, commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.peek_non_space();
            match token.kind {
                kind if kind == end => {
                    self.next();
                    self.check_pipeline(&pipe, context)?;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Function
                | Kind::Number
                | Kind::Nil
                | Kind::RawText
                | Kind::Quoted
                | Kind::Variable
                | Kind::LeftParenthesis => {
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => {
                    self.next();
                    return self.unexpected(&token, context);
                }
            }
        }
    }

    /// Variables that the pipeline declares or assigns to.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<()> {
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            let start = self.at;
            self.next();
            let next = self.next_non_space();
            let comma = next.kind == Kind::Char && next.text == ",";
            if !comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
                self.at = start;
                return Ok(());
            }
            pipe.variables.push(variable.text.clone());
            self.variables.push(variable.text);
            if !comma {
                pipe.assign = next.kind == Kind::Assign;
                return Ok(());
            }
            if context != "range" || pipe.variables.len() >= 2 {
                return self.fail(format!("too many declarations in {context}"));
            }
            let next = self.peek_non_space().kind;
            if !matches!(next, Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis) {
                return self.fail("range can only initialize variables");
            }
        }
    }

    fn check_pipeline(&self, pipe: &Pipe, context: &str) -> Result<()> {
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            if command.args.first().is_some_and(Operand::is_literal) {
                return self.fail(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command> {
        let mut command = Command { pos: self.peek_non_space().pos, args: Vec::new() };
        loop {
            self.skip_space();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let token = self.peek();
            match token.kind {
                Kind::Space => {
                    self.next();
                    continue;
                }
                Kind::RightDelimiter | Kind::RightParenthesis => {}
                Kind::Pipe => {
                    self.next();
                }
                _ => {
                    self.next();
                    return self.unexpected(&token, "operand");
                }
            }
            break;
        }
        if command.args.is_empty() { self.fail("empty command") } else { Ok(command) }
    }

    /// A term with the fields that follow it.
    fn operand(&mut self) -> Result<Option<Operand>> {
        let Some(term) = self.term()? else { return Ok(None) };
        let pos = self.peek().pos;
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(self.next().text.split_off(1));
        }
        if names.is_empty() {
            return Ok(Some(term));
        }
        let joined = |mut first: Vec<String>, names: Vec<String>| {
            first.extend(names);
            first
        };
        Ok(Some(match term {
            Operand::Field { names: first, .. } => Operand::Field { pos, names: joined(first, names) },
            Operand::Variable { names: first, .. } => Operand::Variable { pos, names: joined(first, names) },
            term if term.is_literal() => {
                let shown = go::quote(&term.to_string());
                return self.fail(format!("unexpected . after term {shown}"));
            }
            term => Operand::Chain { pos, operand: Box::new(term), names },
        }))
    }

    fn term(&mut self) -> Result<Option<Operand>> {
        let token = self.peek_non_space();
        let pos = token.pos;
        let operand = match token.kind {
            Kind::Function => {
                if !funcs::exists(&token.text) {
                    return self.fail(format!("function {} not defined", go::quote(&token.text)));
                }
                Operand::Function { pos, name: token.text }
            }
            Kind::Dot => Operand::Dot { pos },
            Kind::Nil => Operand::Nil { pos },
            Kind::Variable => {
                if !self.variables.contains(&token.text) {
                    return self.fail(format!("undefined variable {}", go::quote(&token.text)));
                }
                Operand::Variable { pos, names: vec![token.text] }
            }
            Kind::Field => Operand::Field { pos, names: vec![token.text[1..].to_owned()] },
            Kind::Bool => Operand::Bool { pos, truth: token.text == "true" },
            Kind::CharConstant | Kind::Number => Operand::Number { pos, number: self.number(&token)? },
            Kind::LeftParenthesis => {
                self.next();
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return self.fail("max expression depth exceeded");
                }
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParenthesis)?;
                self.depth -= 1;
                return Ok(Some(Operand::Pipe(pipe)));
            }
            Kind::Quoted | Kind::RawText => Operand::Text { pos, text: self.unquote(&token.text)?, quoted: token.text },
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(operand))
    }

    fn number(&self, token: &Token) -> Result<Number> {
        let text = token.text.clone();
        if token.kind == Kind::CharConstant {
            let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
            let unquoted = unquote(inner, '\'');
            let mut chars = unquoted.iter().flat_map(|t| t.chars());
            return match (chars.next(), chars.next()) {
                (Some(c), None) => {
                    let int = i64::from(c as u32);
                    Ok(Number { int: Some(int), overflow: false, float: int as f64, fraction: false, text })
                }
                (Some(_), Some(_)) => self.fail(format!("malformed character constant: {text}")),
                _ => self.fail("invalid syntax"),
            };
        }
        let plain = text.replace('_', "");
        if let Some((negative, magnitude)) = parse_integer(&plain) {
            let signed = i128::from(magnitude) * if negative { -1 } else { 1 };
            let int = i64::try_from(signed).ok();
            return Ok(Number { int, overflow: int.is_none(), float: signed as f64, fraction: false, text });
        }
        let fraction = plain.contains(['.', 'e', 'E', 'p', 'P']);
        match plain.parse::<f64>() {
            Ok(_) if !fraction => self.fail(format!("integer overflow: {}", go::quote(&text))),
            Ok(float) if float.is_finite() => {
                let int = Some(float as i64).filter(|int| *int as f64 == float);
                Ok(Number { int, overflow: false, float, fraction: true, text })
            }
            _ => self.fail(format!("illegal number syntax: {}", go::quote(&text))),
        }
    }
}

/// Reads an integer in Go's notations; a leading zero means octal.
fn parse_integer(text: &str) -> Option<(bool, u64)> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = digits.to_ascii_lowercase();
    let parsed = if let Some(hex) = lower.strip_prefix("0x") {
        u64::from_str_radix(hex, 16)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        u64::from_str_radix(octal, 8)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        u64::from_str_radix(binary, 2)
    } else if lower.len() > 1 && lower.starts_with('0') {
        u64::from_str_radix(&lower, 8)
    } else {
        lower.parse()
    };
    parsed.ok().filter(|_| !lower.starts_with(['+', '-'])).map(|magnitude| (negative, magnitude))
}
