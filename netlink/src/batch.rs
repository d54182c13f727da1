//! Changes of links, addresses, routes and rules that go to the kernel together.

use nix::errno::Errno;

use crate::address::AddressRequest;
use crate::codec::{TooLong, Writer};
use crate::route::Route;
use crate::rule::Rule;
use crate::sublink::{self, SublinkRequest};

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Delete,
}

/// Where one request stands in the batch and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) tag: u64,
    pub(crate) operation: Operation,
    /// Where its bytes end; they start where the previous request's end.
    pub(crate) end: usize,
    /// Refused before it was sent; it has no bytes then.
    pub(crate) refused: Option<Errno>,
}

/// Requests in the order they will be executed, already encoded.
///
/// A tag is the caller's own mark; it comes back with the request's outcome and need not be
/// unique. A batch can be applied more than once and cleared for reuse without giving up memory.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    writer: Writer,
    requests: Vec<Request>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of requests.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Removes all requests.
    pub fn clear(&mut self) {
        self.writer.clear();
        self.requests.clear();
    }

    /// Adds an address, or updates it if the interface has it already.
    pub fn add_address(&mut self, request: &AddressRequest, tag: u64) {
        self.push(request, tag, Operation::Add);
    }

    /// Deletes an address; only what identifies it counts, not its options.
    pub fn delete_address(&mut self, request: &AddressRequest, tag: u64) {
        self.push(request, tag, Operation::Delete);
    }

    fn push(&mut self, request: &AddressRequest, tag: u64, operation: Operation) {
        if request.peer.is_some_and(|p| p.is_ipv4() != request.ip.is_ipv4()) {
            return self.note(tag, operation, Some(Errno::EINVAL));
        }
        let written = match operation {
            Operation::Add => request.write_add(&mut self.writer),
            Operation::Delete => request.write_delete(&mut self.writer),
        };
        self.written(tag, operation, written);
    }

    /// Adds a route; `index` knows the interfaces by name. One that is there already counts as added.
    pub fn add_route(&mut self, route: &Route, index: &dyn Fn(&str) -> Option<u32>, tag: u64) {
        let written = route.write_add(&mut self.writer, index);
        self.written(tag, Operation::Add, written);
    }

    /// Deletes a route.
    pub fn delete_route(&mut self, route: &Route, index: &dyn Fn(&str) -> Option<u32>, tag: u64) {
        let written = route.write_delete(&mut self.writer, index);
        self.written(tag, Operation::Delete, written);
    }

    /// Adds a rule. One that is there already counts as added.
    pub fn add_rule(&mut self, rule: &Rule, tag: u64) {
        let written = rule.write_add(&mut self.writer);
        self.written(tag, Operation::Add, written);
    }

    /// Deletes a rule.
    pub fn delete_rule(&mut self, rule: &Rule, tag: u64) {
        let written = rule.write_delete(&mut self.writer);
        self.written(tag, Operation::Delete, written);
    }

    /// Makes an interface on another one; it is down at first. One of this name that is there counts as
    /// made, whatever it is.
    pub fn add_sublink(&mut self, request: &SublinkRequest<'_>, tag: u64) {
        let written = request.write_add(&mut self.writer);
        self.written(tag, Operation::Add, written);
    }

    /// Has the kernel give the interface no IPv6 link-local address of its own.
    pub fn without_link_local(&mut self, name: &str, tag: u64) {
        let written = sublink::write_no_link_local(&mut self.writer, name);
        self.written(tag, Operation::Add, written);
    }

    /// Sets the interface up.
    pub fn set_up(&mut self, name: &str, tag: u64) {
        let written = sublink::write_up(&mut self.writer, name);
        self.written(tag, Operation::Add, written);
    }

    /// Moves the interface to a group. Everybody who listens is told about the interface even if it is in
    /// that group already.
    pub fn set_group(&mut self, index: u32, group: u32, tag: u64) {
        let written = sublink::write_group(&mut self.writer, index, group);
        // One that has gone meanwhile is no error.
        self.written(tag, Operation::Delete, written);
    }

    /// Deletes all interfaces of a group. The kernel waits once for all of them, some ten milliseconds,
    /// which it would do for each of them otherwise.
    pub fn delete_group(&mut self, group: u32, tag: u64) {
        let written = sublink::write_delete_group(&mut self.writer, group);
        self.written(tag, Operation::Delete, written);
    }

    fn written(&mut self, tag: u64, operation: Operation, written: Result<(), TooLong>) {
        self.note(tag, operation, written.err().map(|TooLong| Errno::EMSGSIZE));
    }

    fn note(&mut self, tag: u64, operation: Operation, refused: Option<Errno>) {
        let end = self.writer.as_bytes().len();
        self.requests.push(Request { tag, operation, end, refused });
    }

    /// The next requests that go out together: from the one at `from` on, at most `count` of them
    /// and at most `limit` bytes, but one at least. `None` at the end.
    pub(crate) fn piece(&self, from: usize, count: usize, limit: usize) -> Option<Piece<'_>> {
        let rest = self.requests.get(from..)?;
        let start = match from.checked_sub(1) {
            Some(before) => self.requests.get(before)?.end,
            None => 0,
        };
        let last_end = start.saturating_add(limit).max(rest.first()?.end);
        let fitting = rest.partition_point(|request| request.end <= last_end);
        let requests = rest.get(..fitting.min(count.max(1)))?;
        let bytes = self.writer.as_bytes().get(start..requests.last()?.end)?;
        Some(Piece { requests, bytes })
    }
}

/// A run of requests and their bytes.
pub(crate) struct Piece<'a> {
    pub(crate) requests: &'a [Request],
    pub(crate) bytes: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_every_request_once_and_keep_the_limit() {
        let mut batch = Batch::new();
        for n in 0..1000_u32 {
            let ip = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into();
            let mut request = AddressRequest::new(7, ip, 32);
            if n % 10 == 3 {
                request.peer = Some(std::net::Ipv6Addr::LOCALHOST.into());
            }
            batch.add_address(&request, n.into());
        }
        for (count, limit) in [(usize::MAX, 1000), (3, 1000), (1, 1), (usize::MAX, usize::MAX)] {
            let mut tags: Vec<u64> = Vec::new();
            let mut bytes = Vec::new();
            while let Some(piece) = batch.piece(tags.len(), count, limit) {
                let one = piece.requests.iter().filter(|r| r.refused.is_none()).count() == 1;
                assert!(one || piece.bytes.len() <= limit);
                assert!((1..=count).contains(&piece.requests.len()));
                tags.extend(piece.requests.iter().map(|r| r.tag));
                bytes.extend_from_slice(piece.bytes);
            }
            assert_eq!(tags, (0..1000).collect::<Vec<u64>>());
            assert_eq!(bytes, batch.writer.as_bytes());
        }
        assert!(batch.piece(0, 1, usize::MAX).is_some_and(|p| p.requests.len() == 1));
    }
}
