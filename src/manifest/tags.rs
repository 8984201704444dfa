//! Scanning of directives, tags, anchors and aliases.

use super::scanner::{Result, Scanner, Tag, TagDirective, Token, TokenKind, char_width};

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

impl<'a> Scanner<'a> {
    /// Passes letters, digits, `_` and `-`.
    fn scan_word(&mut self) -> Result<&'a str> {
        let from = self.at;
        while is_word(self.byte(0)) {
            self.skip_ascii(1);
            self.need(1)?;
        }
        Ok(&self.text[from..self.at])
    }

    fn skip_blanks(&mut self) -> Result<()> {
        self.need(1)?;
        while self.is_blank(0) {
            self.skip_ascii(1);
            self.need(1)?;
        }
        Ok(())
    }

    pub(super) fn scan_alias(&mut self) -> Result<Token<'a>> {
        self.scan_reference(TokenKind::Alias)
    }

    pub(super) fn scan_anchor(&mut self) -> Result<Token<'a>> {
        self.scan_reference(TokenKind::Anchor)
    }

    fn scan_reference(&mut self, kind: fn(&'a str) -> TokenKind<'a>) -> Result<Token<'a>> {
        let start = self.mark;
        self.skip_ascii(1);
        self.need(1)?;
        let name = self.scan_word()?;
        let ends = matches!(self.byte(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`') || self.is_blankz(0);
        if name.is_empty() || !ends {
            return self.error("did not find expected alphabetic or numeric character");
        }
        Ok(Token { kind: kind(name), start, end: self.mark })
    }

    pub(super) fn scan_directive(&mut self) -> Result<Token<'a>> {
        let start = self.mark;
        self.skip_ascii(1);
        self.need(1)?;
        let name = self.scan_word()?;
        if name.is_empty() {
            return self.error("could not find expected directive name");
        }
        if !self.is_blankz(0) {
            return self.error("found unexpected non-alphabetical character");
        }
        let kind = match name {
            "YAML" => self.scan_version()?,
            "TAG" => self.scan_tag_directive()?,
            _ => return self.error("found unknown directive name"),
        };
        let end = self.mark;
        self.skip_blanks()?;
        if self.byte(0) == b'#' {
            self.skip_comment()?;
        }
        if !self.is_breakz(0) {
            return self.error("did not find expected comment or line break");
        }
        if self.break_width() > 0 {
            self.need(2)?;
            self.take_break();
        }
        Ok(Token { kind, start, end })
    }

    fn scan_version(&mut self) -> Result<TokenKind<'a>> {
        self.skip_blanks()?;
        let major = self.scan_version_number()?;
        if self.byte(0) != b'.' {
            return self.error("did not find expected digit or '.' character");
        }
        self.skip_ascii(1);
        let minor = self.scan_version_number()?;
        Ok(TokenKind::Version { major, minor })
    }

    fn scan_version_number(&mut self) -> Result<u8> {
        self.need(1)?;
        let (mut value, mut length) = (0, 0);
        while self.byte(0).is_ascii_digit() {
            length += 1;
            if length > 2 {
                return self.error("found extremely long version number");
            }
            value = value * 10 + (self.byte(0) - b'0');
            self.skip_ascii(1);
            self.need(1)?;
        }
        if length == 0 { self.error("did not find expected version number") } else { Ok(value) }
    }

    fn scan_tag_directive(&mut self) -> Result<TokenKind<'a>> {
        self.skip_blanks()?;
        let handle = self.scan_tag_handle(true)?;
        self.need(1)?;
        if !self.is_blank(0) {
            return self.error("did not find expected whitespace");
        }
        self.skip_blanks()?;
        let prefix = self.scan_tag_uri("")?;
        self.need(1)?;
        if !self.is_blankz(0) {
            return self.error("did not find expected whitespace or line break");
        }
        Ok(TokenKind::TagDirective(Box::new(TagDirective { handle, prefix })))
    }

    pub(super) fn scan_tag(&mut self) -> Result<Token<'a>> {
        let start = self.mark;
        self.need(2)?;
        let tag = if self.byte(1) == b'<' { self.scan_verbatim_tag()? } else { self.scan_short_tag()? };
        self.need(1)?;
        if !self.is_blankz(0) {
            return self.error("did not find expected whitespace or line break");
        }
        Ok(Token { kind: TokenKind::Tag(Box::new(tag)), start, end: self.mark })
    }

    fn scan_verbatim_tag(&mut self) -> Result<Tag> {
        self.skip_ascii(2);
        let suffix = self.scan_tag_uri("")?;
        if self.byte(0) != b'>' {
            return self.error("did not find the expected '>'");
        }
        self.skip_ascii(1);
        Ok(Tag { handle: String::new(), suffix })
    }

    fn scan_short_tag(&mut self) -> Result<Tag> {
        let handle = self.scan_tag_handle(false)?;
        if handle.len() > 1 && handle.ends_with('!') {
            let suffix = self.scan_tag_uri("")?;
            return Ok(Tag { handle, suffix });
        }
        let suffix = self.scan_tag_uri(&handle)?;
        if suffix.is_empty() {
            // A lone `!`: no handle.
            return Ok(Tag { handle: String::new(), suffix: "!".to_owned() });
        }
        Ok(Tag { handle: "!".to_owned(), suffix })
    }

    fn scan_tag_handle(&mut self, directive: bool) -> Result<String> {
        self.need(1)?;
        if self.byte(0) != b'!' {
            return self.error("did not find expected '!'");
        }
        let from = self.at;
        self.skip_ascii(1);
        self.need(1)?;
        self.scan_word()?;
        if self.byte(0) == b'!' {
            self.skip_ascii(1);
        } else if directive && self.at - from > 1 {
            return self.error("did not find expected '!'");
        }
        Ok(self.text[from..self.at].to_owned())
    }

    /// Reads the rest of a tag; `head` is a handle that turned out to be its begin, with its `!`.
    fn scan_tag_uri(&mut self, head: &str) -> Result<String> {
        let mut uri = head.get(1..).unwrap_or_default().as_bytes().to_vec();
        let mut found = !head.is_empty();
        self.need(1)?;
        while is_word(self.byte(0)) || (self.byte(0) != 0 && b";/?:@&=+$,.!~*'()[]%".contains(&self.byte(0))) {
            if self.byte(0) == b'%' {
                self.scan_uri_escapes(&mut uri)?;
            } else {
                uri.push(self.byte(0));
                self.skip_ascii(1);
            }
            self.need(1)?;
            found = true;
        }
        if !found {
            return self.error("did not find expected tag URI");
        }
        Ok(String::from_utf8_lossy(&uri).into_owned())
    }

    /// Reads the octets of one escaped character.
    fn scan_uri_escapes(&mut self, uri: &mut Vec<u8>) -> Result<()> {
        let mut left = None;
        while left != Some(0) {
            self.need(3)?;
            let digits = self.text.get(self.at + 1..self.at + 3).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
            let octet = digits.filter(|_| self.byte(0) == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
            let Some(octet) = octet else { return self.error("did not find URI escaped octet") };
            let width = match left {
                Some(left) if octet & 0xc0 == 0x80 => left,
                Some(_) => return self.error("found an incorrect trailing UTF-8 octet"),
                None if matches!(octet, 0x80..=0xbf | 0xf8..) => {
                    return self.error("found an incorrect leading UTF-8 octet");
                }
                None => char_width(octet),
            };
            uri.push(octet);
            self.skip_ascii(3);
            left = Some(width - 1);
        }
        Ok(())
    }
}
