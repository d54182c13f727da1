//! A build without TLS.

use std::convert::Infallible;
use std::os::fd::RawFd;

use socket2::Socket;

use super::super::stream::conversation::Step;
use crate::settings::TlsSettings;

/// Cannot be.
pub(crate) struct Context(Infallible);

/// Cannot be.
pub(crate) struct Session(Infallible);

impl Context {
    /// # Errors
    /// Always.
    pub(crate) fn new(_settings: Option<&TlsSettings>) -> Result<Context, String> {
        Err("This build has no TLS, SSL_GET cannot be done.".into())
    }

    pub(crate) fn session(
        &self,
        _socket: Socket,
        _name: Option<&str>,
        _compliant: bool,
    ) -> Result<Session, String> {
        match self.0 {}
    }
}

impl Session {
    pub(crate) fn fd(&self) -> RawFd {
        match self.0 {}
    }

    pub(crate) fn shake(&mut self) -> Step<()> {
        match self.0 {}
    }

    pub(crate) fn read(&mut self, _buffer: &mut [u8]) -> Step<usize> {
        match self.0 {}
    }

    pub(crate) fn write(&mut self, _bytes: &[u8]) -> Step<usize> {
        match self.0 {}
    }

    pub(crate) fn close(&mut self) {
        match self.0 {}
    }

    pub(crate) fn oddity(&self) -> Option<&str> {
        match self.0 {}
    }
}
