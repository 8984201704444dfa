//! Bodies of lists, put together while they are sent: a large list costs the memory of one piece, not its own size.

use bytes::Bytes;
use futures_util::stream;

use super::service::Body;

/// A piece of a body is sent when it has this many bytes.
const PIECE: usize = 64 * 1024;

/// `head`, then what `write` appends for every one of `items` with commas between them, then `tail`.
///
/// A body that fits into one piece is made at once; of a larger one, each piece is made when the one before has gone.
pub fn list<T, I, W>(head: String, items: I, tail: &'static str, write: W) -> Body
where
    T: Send + 'static,
    I: IntoIterator<Item = T, IntoIter: Send + 'static>,
    W: FnMut(&mut Vec<u8>, &T) + Send + 'static,
{
    let mut pieces = Pieces { head: Some(head), items: items.into_iter().peekable(), tail, write };
    let first = pieces.next().unwrap_or_default();
    if pieces.head_and_tail_are_sent() {
        return Body::Full(first);
    }
    Body::Stream(Box::pin(stream::iter(std::iter::once(first).chain(pieces))))
}

struct Pieces<I: Iterator, W> {
    head: Option<String>,
    items: std::iter::Peekable<I>,
    /// Empty when it has been sent.
    tail: &'static str,
    write: W,
}

impl<I: Iterator, W> Pieces<I, W> {
    fn head_and_tail_are_sent(&self) -> bool {
        self.head.is_none() && self.tail.is_empty()
    }
}

impl<I: Iterator, W: FnMut(&mut Vec<u8>, &I::Item)> Iterator for Pieces<I, W> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.head_and_tail_are_sent() {
            return None;
        }
        let mut out = match self.head.take() {
            Some(head) => head.into_bytes(),
            None => Vec::with_capacity(PIECE + PIECE / 8),
        };
        while out.len() < PIECE {
            let Some(item) = self.items.next() else {
                out.extend_from_slice(std::mem::take(&mut self.tail).as_bytes());
                break;
            };
            (self.write)(&mut out, &item);
            if self.items.peek().is_some() {
                out.push(b',');
            }
        }
        Some(Bytes::from(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, StreamExt};

    fn number(out: &mut Vec<u8>, item: &usize) {
        out.extend_from_slice(item.to_string().as_bytes());
    }

    #[test]
    fn a_short_list_is_whole() {
        for (count, text) in [(0, "[]\n"), (1, "[0]\n"), (3, "[0,1,2]\n")] {
            let Body::Full(bytes) = list("[".to_owned(), 0..count, "]\n", number) else { panic!("a stream") };
            assert_eq!(bytes, text);
        }
    }

    #[test]
    fn a_long_list_comes_in_pieces() {
        let Body::Stream(stream) = list("[".to_owned(), 0..100_000, "]\n", number) else { panic!("whole") };
        let pieces: Vec<Bytes> = stream.collect().now_or_never().expect("always ready");
        assert!(pieces.len() > 5 && pieces.iter().all(|piece| piece.len() < 2 * PIECE));
        let items: Vec<usize> = serde_json::from_slice(&pieces.concat()).expect("JSON");
        assert_eq!(items, (0..100_000).collect::<Vec<_>>());
    }
}
